// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/gaussian_blur.h"

#include "base/threads.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ffgan {
namespace {

constexpr double reach = 3; // of the kernel, in standard deviations

// Sum 1, and symmetric; [radius] is the middle.
std::vector<float> gaussian(double sigma) {
    const long radius = std::max(1L, static_cast<long>(std::ceil(reach * sigma)));
    std::vector<double> weights(static_cast<std::size_t>(2 * radius + 1));
    double sum = 0;
    for (long i = -radius; i <= radius; ++i)
        sum += weights[static_cast<std::size_t>(i + radius)] =
            std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma));
    std::vector<float> kernel;
    for (const double weight : weights)
        kernel.push_back(static_cast<float>(weight / sum));
    return kernel;
}

// The index that stands for i: ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ...
long mirrored(long i, long n) {
    const long period = 2 * n;
    i = ((i % period) + period) % period;
    return i < n ? i : period - 1 - i;
}

} // namespace

void gaussian_blur(dlib::tensor& images, double sigma) {
    if (sigma <= 0)
        return;
    const std::vector<float> kernel = gaussian(sigma);
    const long taps = static_cast<long>(kernel.size()), radius = taps / 2;
    const long rows = images.nr(), columns = images.nc();
    float* all = images.host();
    parallel_chunks(
        static_cast<long>(images.num_samples()) * images.k(), [&](long, long begin, long end) {
            std::vector<float> padded(static_cast<std::size_t>(columns + 2 * radius));
            std::vector<float> down(static_cast<std::size_t>(rows * columns));
            for (long n = begin; n < end; ++n) {
                float* plane = all + n * rows * columns;
                std::fill(down.begin(), down.end(), 0.0f);
                for (long r = 0; r < rows; ++r) {
                    float* to = down.data() + r * columns;
                    for (long t = 0; t < taps; ++t) {
                        const float* from = plane + mirrored(r + t - radius, rows) * columns;
                        const float weight = kernel[static_cast<std::size_t>(t)];
                        for (long c = 0; c < columns; ++c)
                            to[c] += weight * from[c];
                    }
                }
                for (long r = 0; r < rows; ++r) {
                    const float* from = down.data() + r * columns;
                    for (long c = -radius; c < columns + radius; ++c)
                        padded[static_cast<std::size_t>(c + radius)] = from[mirrored(c, columns)];
                    float* to = plane + r * columns;
                    std::fill(to, to + columns, 0.0f);
                    for (long t = 0; t < taps; ++t) {
                        const float weight = kernel[static_cast<std::size_t>(t)];
                        for (long c = 0; c < columns; ++c)
                            to[c] += weight * padded[static_cast<std::size_t>(c + t)];
                    }
                }
            }
        });
}

} // namespace ffgan
