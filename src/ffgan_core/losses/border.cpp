// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether neighbouring pixels near the four sides of an image differ as much as those of the real
// images do. The outermost pixels of a transposed convolution come from fewer taps than the others,
// and few discriminators look there, so generated images tend to have a frame: outer rows that are
// even in themselves and differ from the next ones.
//
// For light and both differences of colour, each side, each of the outermost places p, and both
// kinds of neighbours (rows p and p + 1; the pixels of row p), m is the mean over images and pixels
// of sqrt(d^2 + e^2) - e for their differences d, and s that of d. The measure is the mean of
// ((m - n) / (n + e))^2 + ((s - t) / (n + e))^2 over all of these, where n and t are those of the
// real images. Means over red, green and blue would not do: too much colour makes up for too little
// light there. Nor would m without s: a row that is darker than the next one in every image differs
// as much as wanted, and shows as a line.
//
// A batch has too few images for that, so all four are averages over the last steps, and the
// gradient is that of the newest batch, as if all of m and s moved with it.

#include "base/threads.h"
#include "losses/loss.h"
#include "losses/ycbcr.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ffgan {
namespace {

constexpr double smoothing = 1.0 / 255; // e, a step of 8-bit pixels
constexpr float decay = 0.98f;          // of the averages, a step
constexpr long places = 8;              // the outermost ones, where a whole image's frame lies
constexpr long sides = 4, kinds = 2;
constexpr std::size_t channels = rgb_channels;
constexpr std::size_t cells = channels * sides * places * kinds;

// Of each cell m, then of each cell s.
using by_cell = std::array<double, 2 * cells>;

// `count` pairs of neighbours: first + i * stride, and `apart` values after it.
struct run_of_pairs {
    long first, stride, count, apart;
};

// Calls f(cell, run) for each run of pairs of a plane, whose channels are `channels` cells from
// this one on.
template <typename F> void each_cell(long rows, long columns, F&& f) {
    std::size_t cell = 0;
    const auto next = [&cell] { return std::exchange(cell, cell + channels); };
    for (long p = 0; p < places; ++p) {
        const long below = (rows - 1 - p) * columns, right = columns - 1 - p;
        f(next(), run_of_pairs{p * columns, 1, columns, columns});
        f(next(), run_of_pairs{below, 1, columns, -columns});
        f(next(), run_of_pairs{p, columns, rows, 1});
        f(next(), run_of_pairs{right, columns, rows, -1});
        f(next(), run_of_pairs{p * columns, 1, columns - 1, 1});
        f(next(), run_of_pairs{below, 1, columns - 1, 1});
        f(next(), run_of_pairs{p, columns, rows - 1, columns});
        f(next(), run_of_pairs{right, columns, rows - 1, columns});
    }
}

// In `whole` images like these.
double pairs_of(long whole, const run_of_pairs& run) {
    return static_cast<double>(whole * run.count);
}

// How two pixels differ, in light and both differences of colour.
struct pair_of_pixels {
    std::array<double, channels> differences, lengths; // a length: sqrt(d^2 + e^2)

    pair_of_pixels(const float* image, long values, long first, long second) {
        std::array<double, channels> rgb;
        for (std::size_t k = 0; k < channels; ++k) {
            const float* x = image + static_cast<long>(k) * values;
            rgb[k] = static_cast<double>(x[second]) - x[first];
        }
        for (std::size_t c = 0; c < channels; ++c) {
            const auto& weights = ycbcr[c];
            differences[c] = weights[0] * rgb[0] + weights[1] * rgb[1] + weights[2] * rgb[2];
            lengths[c] = std::sqrt(differences[c] * differences[c] + smoothing * smoothing);
        }
    }
};

// Over the `whole` images of all ranks.
by_cell mean_differences(const dlib::tensor& images, const ranks& all, long whole) {
    const long values = images.nr() * images.nc();
    const long count = static_cast<long>(images.num_samples());
    const float* pixels = images.host();
    std::vector<by_cell> of_images(static_cast<std::size_t>(count));
    parallel_chunks(count, [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const float* x = pixels + n * images.k() * values;
            by_cell& sums = of_images[static_cast<std::size_t>(n)];
            each_cell(images.nr(), images.nc(), [&](std::size_t cell, const run_of_pairs& run) {
                for (long i = run.first, k = 0; k < run.count; ++k, i += run.stride) {
                    const pair_of_pixels pair(x, values, i, i + run.apart);
                    for (std::size_t c = 0; c < channels; ++c) {
                        sums[cell + c] += pair.lengths[c] - smoothing;
                        sums[cells + cell + c] += pair.differences[c];
                    }
                }
            });
        }
    });
    by_cell means{};
    for (const by_cell& sums : of_images)
        for (std::size_t i = 0; i < means.size(); ++i)
            means[i] += sums[i];
    all.sum(means.data(), means.size());
    each_cell(images.nr(), images.nc(), [&](std::size_t cell, const run_of_pairs& run) {
        for (std::size_t c = 0; c < channels; ++c) {
            means[cell + c] /= pairs_of(whole, run);
            means[cells + cell + c] /= pairs_of(whole, run);
        }
    });
    return means;
}

// The sum over the cells of their slopes times the derivatives of their means.
void differentiate(const dlib::tensor& images, long whole, const by_cell& slopes,
                   dlib::resizable_tensor& gradient) {
    const long values = images.nr() * images.nc();
    const float* all = images.host();
    gradient.copy_size(images);
    float* all_gradients = gradient.host_write_only();
    parallel_chunks(static_cast<long>(images.num_samples()), [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const float* x = all + n * images.k() * values;
            float* g = all_gradients + n * images.k() * values;
            std::fill_n(g, images.k() * values, 0.0f);
            each_cell(images.nr(), images.nc(), [&](std::size_t cell, const run_of_pairs& run) {
                std::array<double, channels> of_lengths, of_differences;
                for (std::size_t c = 0; c < channels; ++c) {
                    of_lengths[c] = slopes[cell + c] / pairs_of(whole, run);
                    of_differences[c] = slopes[cells + cell + c] / pairs_of(whole, run);
                }
                for (long i = run.first, k = 0; k < run.count; ++k, i += run.stride) {
                    const pair_of_pixels pair(x, values, i, i + run.apart);
                    for (std::size_t c = 0; c < channels; ++c) {
                        const double change =
                            of_lengths[c] * pair.differences[c] / pair.lengths[c] +
                            of_differences[c];
                        for (std::size_t rgb = 0; rgb < channels; ++rgb) {
                            float* plane = g + static_cast<long>(rgb) * values;
                            const float part = static_cast<float>(change * ycbcr[c][rgb]);
                            plane[i + run.apart] += part;
                            plane[i] -= part;
                        }
                    }
                }
            });
        }
    });
}

class border final : public generator_loss {
  public:
    double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) override {
        remember(mean_differences(inputs.real.planes(), inputs.all, inputs.whole), real_);
        remember(mean_differences(inputs.fakes, inputs.all, inputs.whole), fakes_);
        double distance = 0;
        by_cell slopes{};
        for (std::size_t i = 0; i < slopes.size(); ++i) {
            const double unit = real_[i % cells] + smoothing; // of the lengths, for both
            const double excess = (static_cast<double>(fakes_[i]) - real_[i]) / unit;
            distance += excess * excess / cells;
            slopes[i] = 2 * excess / (unit * cells);
        }
        differentiate(inputs.fakes, inputs.whole, slopes, gradient);
        return inputs.all.once(distance);
    }

    void add_state(const std::string& prefix, named_tensors& state) const override {
        if (real_.empty())
            return;
        state[prefix + "real"] = {{static_cast<long>(real_.size())}, real_};
        state[prefix + "fakes"] = {{static_cast<long>(fakes_.size())}, fakes_};
    }

    void load_state(const std::string& prefix, const named_tensors& state) override {
        const named_tensors own = with_prefix(prefix, state);
        if (own.empty() || of_an_earlier_version(own)) {
            real_.clear();
            fakes_.clear();
            return;
        }
        real_ = read(own, prefix, "real");
        fakes_ = read(own, prefix, "fakes");
    }

  private:
    // Earlier averages were of m alone, first one for all of red, green and blue.
    static bool of_an_earlier_version(const named_tensors& own) {
        return std::all_of(own.begin(), own.end(), [](const auto& each) {
            const std::size_t count = each.second.values.size();
            return count == cells / channels || count == cells;
        });
    }

    static void remember(const by_cell& newest, std::vector<float>& average) {
        if (average.empty())
            average.assign(newest.begin(), newest.end());
        else
            for (std::size_t i = 0; i < newest.size(); ++i)
                average[i] = decay * average[i] + (1 - decay) * static_cast<float>(newest[i]);
    }

    static std::vector<float> read(const named_tensors& own, const std::string& prefix,
                                   const std::string& name) {
        const auto found = own.find(name);
        if (found == own.end() || found->second.values.size() != by_cell{}.size())
            throw std::invalid_argument("the training state lacks '" + prefix + name + "'");
        return found->second.values;
    }

    std::vector<float> real_, fakes_; // averages; empty before the first step
};

} // namespace

loss_description border_loss() {
    return {"border",
            "border_distance",
            "weight of how far differences of neighbouring pixels near the sides of generated "
            "images are from those of the real ones",
            "Differences near the sides, beside those of the real images",
            "mean squared relative difference",
            make_loss<border>};
}

} // namespace ffgan
