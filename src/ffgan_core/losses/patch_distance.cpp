// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/patch_distance.h"

#include "base/random.h"
#include "base/threads.h"
#include "losses/laplacian_pyramid.h"
#include "losses/loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ffgan {
namespace {

constexpr long patch_side = 7;
constexpr long places = 96; // of each level; every image gives a patch at each of them
constexpr long directions = 64;

constexpr double pi = 3.14159265358979323846;

enum stream : std::uint64_t { position_stream, direction_stream };

struct position {
    long top, left;
};

// What is compared: one row of `length` values per patch, image by image, place by place.
struct descriptors {
    long count, length;
    std::vector<float> values;
    float* row(long i) { return values.data() + i * length; }
    const float* row(long i) const { return values.data() + i * length; }
};

// By image and channel: its bands.
using pyramids = std::vector<std::vector<plane>>;

pyramids make_pyramids(const dlib::tensor& images) {
    const long planes = static_cast<long>(images.num_samples() * images.k());
    const long rows = images.nr(), columns = images.nc();
    const float* x = images.host();
    pyramids result(static_cast<std::size_t>(planes));
    parallel_chunks(planes, [&](long, long begin, long end) {
        for (long p = begin; p < end; ++p) {
            plane image(rows, columns);
            std::copy_n(x + p * rows * columns, rows * columns, image.values.begin());
            // One more: the last is no band but the rest of the image.
            result[static_cast<std::size_t>(p)] =
                laplacian_bands(std::move(image), texture_levels + 1);
        }
    });
    return result;
}

std::vector<position> draw_positions(const plane& band, std::uint64_t key) {
    const auto draw = [key](std::uint64_t which, long index, long limit) { // 0 to limit
        const float u = uniform_from(counter_random(key, which, static_cast<std::uint64_t>(index)));
        return std::min(static_cast<long>(u * static_cast<float>(limit + 1)), limit);
    };
    std::vector<position> result;
    for (long i = 0; i < places; ++i)
        result.push_back(
            {draw(0, i, band.rows - patch_side), draw(1, i, band.columns - patch_side)});
    return result;
}

// Random unit vectors, as columns of length x directions.
std::vector<float> draw_directions(long length, std::uint64_t key) {
    std::vector<float> result(static_cast<std::size_t>(length * directions));
    for (long d = 0; d < directions; ++d) {
        double square = 0;
        for (long k = 0; k < length; ++k) {
            // Box and Muller's normal variate.
            const auto index = static_cast<std::uint64_t>(d * length + k);
            const double u = 1 - uniform_from(counter_random(key, 0, index));
            const double v = uniform_from(counter_random(key, 1, index));
            const double normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * pi * v);
            square += normal * normal;
            result[static_cast<std::size_t>(k * directions + d)] = static_cast<float>(normal);
        }
        for (long k = 0; k < length; ++k)
            result[static_cast<std::size_t>(k * directions + d)] /=
                static_cast<float>(std::sqrt(square));
    }
    return result;
}

class level_comparison {
  public:
    level_comparison(const pyramids& ours, const pyramids& theirs, std::size_t level, long channels,
                     std::uint64_t key, const ranks& all, long whole)
        : ours_(ours), theirs_(theirs), level_(level), channels_(channels),
          images_(static_cast<long>(ours.size()) / channels), all_(all), whole_(whole),
          places_(draw_positions(ours[0][level], counter_random(key, position_stream, level))),
          axes_(draw_directions(channels * patch_side * patch_side,
                                counter_random(key, direction_stream, level))) {}

    // Adds the derivative to the bands of `gradient`, which have our bands' shapes.
    double compare(pyramids& gradient) const {
        descriptors a = describe(ours_), b = describe(theirs_);
        double square = 0;
        for (long i = 0; i < b.count; ++i)
            for (long k = 0; k < b.length; ++k)
                square += static_cast<double>(b.row(i)[k]) * b.row(i)[k];
        all_.sum(&square, 1);
        const long n = whole_ * places;
        const double deviation = std::sqrt(square / static_cast<double>(n * b.length));
        const float scale = static_cast<float>(1 / std::max(deviation, 1e-4));
        std::vector<float> along_a = project(a, scale), along_b = project(b, scale);
        if (!all_.alone()) {
            along_a = all_.gather_rows(along_a.data(), whole_, places * directions);
            along_b = all_.gather_rows(along_b.data(), whole_, places * directions);
        }

        // At each place, sorted, the i-th of ours belongs to the i-th of theirs. along_a becomes
        // the derivative.
        std::vector<double> losses(static_cast<std::size_t>(places));
        const float slope = 2.0f / static_cast<float>(n * directions);
        parallel_chunks(places, [&](long, long begin, long end) {
            std::vector<std::pair<float, long>> ordered(static_cast<std::size_t>(whole_));
            std::vector<float> wanted(static_cast<std::size_t>(whole_));
            for (long place = begin; place < end; ++place) {
                double loss = 0;
                for (long d = 0; d < directions; ++d) {
                    for (long i = 0; i < whole_; ++i) {
                        const long patch = i * places + place;
                        ordered[static_cast<std::size_t>(i)] = {at(along_a, patch, d), patch};
                        wanted[static_cast<std::size_t>(i)] = at(along_b, patch, d);
                    }
                    std::sort(ordered.begin(), ordered.end());
                    std::sort(wanted.begin(), wanted.end());
                    for (std::size_t i = 0; i < ordered.size(); ++i) {
                        const float difference = ordered[i].first - wanted[i];
                        loss += static_cast<double>(difference) * difference;
                        at(along_a, ordered[i].second, d) = slope * difference;
                    }
                }
                losses[static_cast<std::size_t>(place)] = loss;
            }
        });
        spread(own_slopes(along_a), scale, gradient);
        return all_.once(std::accumulate(losses.begin(), losses.end(), 0.0) /
                         static_cast<double>(n * directions));
    }

  private:
    static float& at(std::vector<float>& projections, long patch, long direction) {
        return projections[static_cast<std::size_t>(patch * directions + direction)];
    }

    // Of the derivatives for all images those for this rank's.
    std::vector<float> own_slopes(std::vector<float>& slopes) const {
        if (all_.alone())
            return std::move(slopes);
        std::vector<float> result;
        constexpr long size = places * directions;
        for (long i = 0; i < images_; ++i) {
            const auto row = slopes.begin() + all_.place(i) * size;
            result.insert(result.end(), row, row + size);
        }
        return result;
    }

    const plane& band(const pyramids& of, long image, long channel) const {
        return of[static_cast<std::size_t>(image * channels_ + channel)][level_];
    }

    descriptors describe(const pyramids& of) const {
        descriptors result{images_ * places, channels_ * patch_side * patch_side, {}};
        result.values.resize(static_cast<std::size_t>(result.count * result.length));
        parallel_chunks(result.count, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i) {
                const position& at = places_[static_cast<std::size_t>(i % places)];
                float* to = result.row(i);
                for (long c = 0; c < channels_; ++c) {
                    const plane& from = band(of, i / places, c);
                    for (long r = 0; r < patch_side; ++r)
                        to = std::copy_n(from.row(at.top + r) + at.left, patch_side, to);
                }
            }
        });
        return result;
    }

    // count x directions.
    std::vector<float> project(const descriptors& from, float scale) const {
        std::vector<float> result(static_cast<std::size_t>(from.count * directions));
        parallel_chunks(from.count, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i) {
                float* sums = result.data() + i * directions;
                for (long k = 0; k < from.length; ++k) {
                    const float value = scale * from.row(i)[k];
                    const float* axis = axes_.data() + k * directions;
                    for (long d = 0; d < directions; ++d)
                        sums[d] += value * axis[d];
                }
            }
        });
        return result;
    }

    // The derivative with respect to the projections, back to the bands. Patches overlap, so an
    // image belongs to one thread.
    void spread(const std::vector<float>& slopes, float scale, pyramids& gradient) const {
        parallel_chunks(images_, [&](long, long begin, long end) {
            for (long i = begin * places; i < end * places; ++i) {
                const position& at = places_[static_cast<std::size_t>(i % places)];
                const float* slope = slopes.data() + i * directions;
                const float* axis = axes_.data();
                for (long c = 0; c < channels_; ++c) {
                    const long image = i / places;
                    plane& to = gradient[static_cast<std::size_t>(image * channels_ + c)][level_];
                    for (long r = 0; r < patch_side; ++r)
                        for (long k = 0; k < patch_side; ++k, axis += directions) {
                            float sum = 0;
                            for (long d = 0; d < directions; ++d)
                                sum += slope[d] * axis[d];
                            to.row(at.top + r)[at.left + k] += scale * sum;
                        }
                }
            }
        });
    }

    const pyramids& ours_;
    const pyramids& theirs_;
    const std::size_t level_;
    const long channels_, images_;
    const ranks& all_;
    const long whole_;
    const std::vector<position> places_;
    const std::vector<float> axes_;
};

} // namespace

double patch_distance(const dlib::tensor& images, const dlib::tensor& targets, std::uint64_t key,
                      dlib::resizable_tensor& gradient, const ranks& all, long whole) {
    const long smallest = patch_side << (texture_levels - 1);
    if (!dlib::have_same_dimensions(images, targets) || images.size() == 0)
        throw std::invalid_argument("patch_distance compares batches of one shape");
    if (std::min(images.nr(), images.nc()) < smallest)
        throw std::invalid_argument("patch_distance takes images of at least " +
                                    std::to_string(smallest) + " pixels a side");
    const pyramids ours = make_pyramids(images), theirs = make_pyramids(targets);
    pyramids slopes;
    for (const std::vector<plane>& bands : ours) {
        slopes.emplace_back();
        for (const plane& band : bands)
            slopes.back().emplace_back(band.rows, band.columns);
    }
    double distance = 0;
    for (std::size_t level = 0; level < texture_levels; ++level)
        distance += level_comparison(ours, theirs, level, images.k(), key, all,
                                     all.alone() ? static_cast<long>(images.num_samples()) : whole)
                        .compare(slopes);

    gradient.copy_size(images);
    const long size = images.nr() * images.nc();
    float* g = gradient.host_write_only();
    parallel_chunks(static_cast<long>(slopes.size()), [&](long, long begin, long end) {
        for (long p = begin; p < end; ++p) {
            const plane image = laplacian_adjoint(std::move(slopes[static_cast<std::size_t>(p)]));
            std::copy(image.values.begin(), image.values.end(), g + p * size);
        }
    });
    return distance;
}

namespace {

class texture final : public generator_loss {
  public:
    double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) override {
        return patch_distance(inputs.fakes, inputs.real.planes(), inputs.key, gradient, inputs.all,
                              inputs.whole);
    }
};

} // namespace

loss_description texture_loss() {
    return {
        "texture",
        "texture",
        "weight of the sliced Wasserstein distance between patches of generated and real images",
        "Texture: distance of patches from those of the real images",
        "sliced Wasserstein distance",
        make_loss<texture>,
        true};
}

} // namespace ffgan
