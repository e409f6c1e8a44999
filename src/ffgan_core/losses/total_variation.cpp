// SPDX-License-Identifier: GPL-3.0-or-later
//
// Total variation (Rudin, Osher and Fatemi 1992, "Nonlinear total variation based noise removal
// algorithms"), isotropic and smoothed: the mean over images, channels and pixels of
//
//   sqrt(dx^2 + dy^2 + e^2) - e
//
// where dx and dy are the differences to the next pixel to the right and below, 0 at the edge. With
// e = 0 it has no derivative where an image is even.

#include "base/threads.h"
#include "losses/loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ffgan {
namespace {

constexpr double smoothing = 1e-3; // e, a quarter of a step of 8-bit pixels

class total_variation final : public generator_loss {
  public:
    double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) override {
        const dlib::tensor& images = inputs.fakes;
        const long planes = static_cast<long>(images.num_samples() * images.k());
        const long rows = images.nr(), columns = images.nc(), values = rows * columns;
        const double terms = static_cast<double>(inputs.whole) *
                             static_cast<double>(images.k() * images.nr() * images.nc());
        gradient.copy_size(images);
        const float* all = images.host();
        float* all_gradients = gradient.host_write_only();
        std::vector<double> sums(static_cast<std::size_t>(planes));
        parallel_chunks(planes, [&](long, long begin, long end) {
            for (long n = begin; n < end; ++n) {
                const float* x = all + n * values;
                float* g = all_gradients + n * values;
                std::fill_n(g, values, 0.0f);
                double sum = 0;
                for (long i = 0; i < values; ++i) {
                    const bool right = (i + 1) % columns != 0, below = i + columns < values;
                    const double dx = right ? static_cast<double>(x[i + 1]) - x[i] : 0;
                    const double dy = below ? static_cast<double>(x[i + columns]) - x[i] : 0;
                    const double length = std::sqrt(dx * dx + dy * dy + smoothing * smoothing);
                    sum += length - smoothing;
                    const double scale = 1 / (length * terms);
                    g[i] -= static_cast<float>((dx + dy) * scale);
                    if (right)
                        g[i + 1] += static_cast<float>(dx * scale);
                    if (below)
                        g[i + columns] += static_cast<float>(dy * scale);
                }
                sums[static_cast<std::size_t>(n)] = sum;
            }
        });
        return std::accumulate(sums.begin(), sums.end(), 0.0) / terms;
    }
};

} // namespace

loss_description total_variation_loss() {
    return {"total_variation",
            "total_variation",
            "weight of the generated images' total variation, which smooths them",
            "Total variation of generated images",
            "mean of the gradient's length",
            make_loss<total_variation>};
}

} // namespace ffgan
