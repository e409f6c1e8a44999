// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/grid_unevenness.h"

#include "base/threads.h"
#include "losses/excess.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace ffgan {
namespace {

constexpr long period = 4;
constexpr long directions = 2; // down, across
constexpr std::size_t cells = period * period;

using by_cell = std::array<std::array<double, cells>, directions>;

constexpr std::size_t cell(long row, long column) {
    return static_cast<std::size_t>(row % period * period + column % period);
}

// Calls f(direction, cell, i, j) for each pair of neighbours i, j of a plane.
template <typename F> void each_pair(long rows, long columns, F&& f) {
    for (long r = 0; r < rows; ++r)
        for (long c = 0; c < columns; ++c) {
            const long i = r * columns + c;
            if (r + 1 < rows)
                f(0, cell(r, c), i, i + columns);
            if (c + 1 < columns)
                f(1, cell(r, c), i, i + 1);
        }
}

} // namespace

double grid_unevenness(const dlib::tensor& images, dlib::resizable_tensor* gradient,
                       const ranks& all) {
    const long rows = images.nr(), columns = images.nc(), values = rows * columns;
    if (rows <= period || columns <= period)
        throw std::invalid_argument("grid_unevenness takes images of at least five by five pixels");
    const long planes = static_cast<long>(images.num_samples()) * images.k();
    const float* pixels = images.host();

    std::vector<by_cell> of_planes(static_cast<std::size_t>(planes));
    parallel_chunks(planes, [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const float* x = pixels + n * values;
            by_cell& sums = of_planes[static_cast<std::size_t>(n)];
            sums = {};
            each_pair(rows, columns, [&](std::size_t way, std::size_t at, long i, long j) {
                const double difference = static_cast<double>(x[j]) - x[i];
                sums[way][at] += difference * difference;
            });
        }
    });

    by_cell energy{}, pairs{}; // the mean squared difference in a cell, and of how many pairs
    for (const by_cell& sums : of_planes)
        for (std::size_t way = 0; way < directions; ++way)
            for (std::size_t at = 0; at < cells; ++at)
                energy[way][at] += sums[way][at];
    for (std::size_t way = 0; way < directions; ++way)
        all.sum(energy[way].data(), cells);
    double planes_of_all = static_cast<double>(planes);
    all.sum(&planes_of_all, 1);
    each_pair(rows, columns, [&](std::size_t way, std::size_t at, long, long) {
        pairs[way][at] += planes_of_all;
    });

    double unevenness = 0;
    by_cell slopes{}; // of the unevenness by a squared difference
    for (std::size_t way = 0; way < directions; ++way) {
        double mean = 0, square = 0;
        for (std::size_t at = 0; at < cells; ++at) {
            energy[way][at] /= pairs[way][at];
            mean += energy[way][at] / cells;
        }
        if (mean == 0)
            continue;
        for (const double e : energy[way])
            square += (e / mean - 1) * (e / mean - 1) / cells;
        unevenness += square;
        for (std::size_t at = 0; at < cells; ++at)
            slopes[way][at] =
                2 / (cells * mean) * (energy[way][at] / mean - 1 - square) / pairs[way][at];
    }
    if (!gradient)
        return unevenness;

    gradient->copy_size(images);
    float* all_gradients = gradient->host_write_only();
    parallel_chunks(planes, [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const float* x = pixels + n * values;
            float* of_plane = all_gradients + n * values;
            std::fill_n(of_plane, values, 0.0f);
            each_pair(rows, columns, [&](std::size_t way, std::size_t at, long i, long j) {
                const float slope = static_cast<float>(2 * slopes[way][at]) * (x[j] - x[i]);
                of_plane[i] -= slope;
                of_plane[j] += slope;
            });
        }
    });
    return unevenness;
}

loss_description grid_loss() {
    return {"grid",
            "grid_excess",
            "weight of checkerboard artifacts beyond those of the real images",
            "Checkerboard artifacts beyond those of the real images",
            "variance over the grid",
            [](const loss_options&) { return make_excess_loss(grid_unevenness); }};
}

} // namespace ffgan
