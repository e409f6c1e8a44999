// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/pyramid_loss.h"

#include "base/threads.h"
#include "losses/laplacian_pyramid.h"
#include "losses/loss.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ffgan {
namespace {

// |band|'s mean, and its derivative in place of the band.
double absolute_mean(plane& band) {
    const float scale = 1.0f / static_cast<float>(band.values.size());
    double sum = 0;
    for (float& v : band.values) {
        sum += std::abs(v);
        v = v > 0 ? scale : v < 0 ? -scale : 0.0f;
    }
    return sum * scale;
}

void subtract(plane& from, const plane& other) {
    for (std::size_t i = 0; i < from.values.size(); ++i)
        from.values[i] -= other.values[i];
}

plane magnitudes(const plane& band) {
    plane result = band;
    for (float& v : result.values)
        v = std::abs(v);
    return result;
}

// How much detail there is around each fourth pixel.
plane local_detail(const plane& band) { return shrink(shrink(magnitudes(band))); }

// The difference of local details' mean magnitude, and its derivative in place of the band.
double detail_distance(plane& band, const plane& target) {
    const plane half = shrink(magnitudes(band));
    plane difference = shrink(half);
    subtract(difference, local_detail(target));
    const double loss = absolute_mean(difference);
    const plane of_half = shrink_adjoint(difference, half.rows, half.columns);
    const plane of_magnitudes = shrink_adjoint(of_half, band.rows, band.columns);
    for (std::size_t i = 0; i < band.values.size(); ++i)
        band.values[i] = band.values[i] < 0 ? -of_magnitudes.values[i] : of_magnitudes.values[i];
    return loss;
}

double plane_loss(plane image, plane target, plane& gradient, int free_levels) {
    // The pyramid is linear: without free levels that of the difference is all that is needed.
    std::vector<plane> wanted;
    if (free_levels > 0)
        wanted = laplacian_bands(std::move(target), pyramid_levels);
    else
        subtract(image, target);
    std::vector<plane> bands = laplacian_bands(std::move(image), pyramid_levels);
    double loss = 0;
    for (std::size_t i = 0; i < bands.size(); ++i) {
        if (static_cast<int>(i) < free_levels) {
            loss += detail_distance(bands[i], wanted[i]);
        } else {
            if (free_levels > 0)
                subtract(bands[i], wanted[i]);
            loss += absolute_mean(bands[i]);
        }
    }
    gradient = laplacian_adjoint(std::move(bands));
    return loss;
}

} // namespace

double pyramid_loss(const dlib::tensor& images, const dlib::tensor& targets,
                    dlib::resizable_tensor& gradient, int free_levels, double* each, long whole) {
    if (!dlib::have_same_dimensions(images, targets) || images.size() == 0)
        throw std::invalid_argument("pyramid_loss compares batches of one shape");
    if (free_levels < 0 || free_levels >= pyramid_levels)
        throw std::invalid_argument("pyramid_loss leaves free from 0 to " +
                                    std::to_string(pyramid_levels - 1) + " levels");
    gradient.copy_size(images);
    const long planes = static_cast<long>(images.num_samples() * images.k());
    const long averaged = whole > 0 ? whole * static_cast<long>(images.k()) : planes;
    const long rows = images.nr(), columns = images.nc(), size = rows * columns;
    const float* x = images.host();
    const float* y = targets.host();
    float* g = gradient.host_write_only();
    std::vector<double> losses(static_cast<std::size_t>(planes));
    parallel_chunks(planes, [&](long, long begin, long end) {
        plane derivative;
        for (long p = begin; p < end; ++p) {
            plane image(rows, columns), target(rows, columns);
            std::copy_n(x + p * size, size, image.values.begin());
            std::copy_n(y + p * size, size, target.values.begin());
            losses[static_cast<std::size_t>(p)] =
                plane_loss(std::move(image), std::move(target), derivative, free_levels);
            for (long i = 0; i < size; ++i)
                g[p * size + i] =
                    derivative.values[static_cast<std::size_t>(i)] / static_cast<float>(averaged);
        }
    });
    double sum = 0; // in a fixed order, whatever the number of threads
    for (const double loss : losses)
        sum += loss;
    for (long image = 0; each != nullptr && image < static_cast<long>(images.num_samples());
         ++image) {
        const long channels = static_cast<long>(images.k());
        each[image] = 0;
        for (long c = 0; c < channels; ++c)
            each[image] += losses[static_cast<std::size_t>(image * channels + c)] /
                           static_cast<double>(channels);
    }
    return sum / static_cast<double>(averaged);
}

namespace {

// The warm start's loss, on the images of the batch whose codes G gets.
class anchor final : public generator_loss {
  public:
    explicit anchor(int skip) : skip_(skip) {
        if (skip < 0 || skip >= pyramid_levels)
            throw std::invalid_argument("anchor_skip is not from 0 to " +
                                        std::to_string(pyramid_levels - 1));
    }

    double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) override {
        const long own = inputs.all.own(inputs.anchored);
        if (own == 0)
            return 0;
        const auto first = [&](const dlib::tensor& images) {
            return dlib::alias_tensor(own, images.k(), images.nr(), images.nc())(images, 0);
        };
        return pyramid_loss(first(inputs.fakes), first(inputs.real.planes()), gradient, skip_,
                            nullptr, inputs.anchored);
    }

  private:
    int skip_;
};

} // namespace

loss_description anchor_loss() {
    return {"anchor",
            "anchor",
            "weight of the warm start's reconstruction loss in the steps after it",
            "Reconstruction loss after the warm start",
            "Laplacian pyramid",
            [](const loss_options& options) -> std::unique_ptr<generator_loss> {
                return std::make_unique<anchor>(options.anchor_skip);
            },
            true};
}

} // namespace ffgan
