// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/chroma_detail.h"

#include "base/threads.h"
#include "losses/excess.h"
#include "losses/ycbcr.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace ffgan {
namespace {

constexpr long channels = rgb_channels;
constexpr std::array chroma{ycbcr[1], ycbcr[2]};

// Everything here is the same along rows and along columns: an axis of `length` values `stride`
// apart, of which there are `count`, `next` apart.
struct axis {
    long length, stride, count, next;
};

// Calls f(first) with the offset of each line of values.
template <typename F> void each_line(const axis& along, F&& f) {
    for (long i = 0; i < along.count; ++i)
        f(i * along.next);
}

// Each pair of values becomes its mean, and the means are enlarged linearly again: with the pairs'
// centres half a value from theirs, a value is 3/4 its own pair's mean and 1/4 that of its other
// neighbour, beyond the end its own again.
void coarsen(std::vector<float>& values, const axis& along, std::vector<float>& means) {
    const long half = along.length / 2;
    means.resize(static_cast<std::size_t>(half));
    each_line(along, [&](long first) {
        float* v = values.data() + first;
        for (long j = 0; j < half; ++j)
            means[static_cast<std::size_t>(j)] =
                0.5f * (v[2 * j * along.stride] + v[(2 * j + 1) * along.stride]);
        for (long j = 0; j < half; ++j) {
            const float own = means[static_cast<std::size_t>(j)];
            const float before = j > 0 ? means[static_cast<std::size_t>(j - 1)] : own;
            const float after = j + 1 < half ? means[static_cast<std::size_t>(j + 1)] : own;
            v[2 * j * along.stride] = 0.75f * own + 0.25f * before;
            v[(2 * j + 1) * along.stride] = 0.75f * own + 0.25f * after;
        }
    });
}

// The transpose of coarsen.
void coarsen_adjoint(std::vector<float>& values, const axis& along, std::vector<float>& means) {
    const long half = along.length / 2;
    each_line(along, [&](long first) {
        float* v = values.data() + first;
        means.assign(static_cast<std::size_t>(half), 0.0f);
        for (long j = 0; j < half; ++j) {
            const float left = v[2 * j * along.stride], right = v[(2 * j + 1) * along.stride];
            means[static_cast<std::size_t>(j)] += 0.75f * (left + right);
            means[static_cast<std::size_t>(j > 0 ? j - 1 : j)] += 0.25f * left;
            means[static_cast<std::size_t>(j + 1 < half ? j + 1 : j)] += 0.25f * right;
        }
        for (long j = 0; j < half; ++j)
            v[2 * j * along.stride] = v[(2 * j + 1) * along.stride] =
                0.5f * means[static_cast<std::size_t>(j)];
    });
}

} // namespace

double chroma_detail(const dlib::tensor& images, dlib::resizable_tensor* gradient,
                     const ranks& all) {
    const long rows = images.nr(), columns = images.nc(), values = rows * columns;
    if (images.k() != channels || rows % 2 != 0 || columns % 2 != 0)
        throw std::invalid_argument("chroma_detail takes three channels and even sides");
    const axis down{rows, columns, columns, 1}, across{columns, 1, rows, columns};
    const long count = static_cast<long>(images.num_samples());
    double images_of_all = static_cast<double>(count);
    all.sum(&images_of_all, 1);
    const double terms = images_of_all * static_cast<double>(values) * chroma.size();
    const float* pixels = images.host();
    float* all_gradients = nullptr;
    if (gradient) {
        gradient->copy_size(images);
        all_gradients = gradient->host_write_only();
        std::fill_n(all_gradients, gradient->size(), 0.0f);
    }
    std::vector<double> sums(static_cast<std::size_t>(count));
    parallel_chunks(count, [&](long, long begin, long end) {
        std::vector<float> plane(static_cast<std::size_t>(values)), lost, means;
        for (long n = begin; n < end; ++n) {
            const float* image = pixels + n * channels * values;
            double sum = 0;
            for (const std::array<float, channels>& weights : chroma) {
                for (long i = 0; i < values; ++i)
                    plane[static_cast<std::size_t>(i)] =
                        255 * (weights[0] * image[i] + weights[1] * image[values + i] +
                               weights[2] * image[2 * values + i]);
                lost = plane;
                coarsen(plane, down, means);
                coarsen(plane, across, means);
                for (std::size_t i = 0; i < plane.size(); ++i) {
                    lost[i] -= plane[i];
                    sum += static_cast<double>(lost[i]) * lost[i];
                }
                if (!gradient)
                    continue;
                plane = lost;
                coarsen_adjoint(plane, across, means);
                coarsen_adjoint(plane, down, means);
                const float scale = static_cast<float>(2 * 255 / terms);
                for (std::size_t i = 0; i < plane.size(); ++i)
                    lost[i] = scale * (lost[i] - plane[i]);
                float* of_image = all_gradients + n * channels * values;
                for (long k = 0; k < channels; ++k)
                    for (long i = 0; i < values; ++i)
                        of_image[k * values + i] += weights[static_cast<std::size_t>(k)] *
                                                    lost[static_cast<std::size_t>(i)];
            }
            sums[static_cast<std::size_t>(n)] = sum;
        }
    });
    double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
    all.sum(&sum, 1);
    return sum / terms;
}

loss_description chroma_loss() {
    return {"chroma",
            "chroma_excess",
            "weight of chroma noise beyond that of the real images",
            "Chroma noise beyond that of the real images",
            "mean square",
            [](const loss_options&) { return make_excess_loss(chroma_detail); }};
}

} // namespace ffgan
