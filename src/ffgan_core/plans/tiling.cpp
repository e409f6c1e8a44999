// SPDX-License-Identifier: GPL-3.0-or-later
#include "plans/tiling.h"

#include "base/sizes.h"

#include <algorithm>
#include <limits>

namespace ffgan::layers {
namespace {

// Transforming fewer channels costs more than it saves.
constexpr long least_channels = 12;

// What a tile size costs in an output phase of rows x columns: multiplications per pair of
// channels, a filter's way from memory counted as that of a few tiles.
long cost_of(long rows, long columns, long tile, long window) {
    constexpr long reading = 8;
    return (divided_up(rows, tile) * divided_up(columns, tile) + reading) * window * window;
}

} // namespace

tiling::tiling(const convolution_shape& s, direction d, long largest) : way(d), shape(s) {
    const bool correlates = way == direction::correlate;
    // With a map of one pixel nothing overlaps, whatever the stride: every tap is a phase.
    const bool single = !correlates && s.map_rows == 1 && s.map_columns == 1;
    const long stride = single ? s.kernel : s.stride;
    in_channels = correlates ? s.channels : s.filters;
    in_rows = correlates ? s.rows : s.map_rows;
    in_columns = correlates ? s.columns : s.map_columns;
    out_channels = correlates ? s.filters : s.channels;
    out_rows = correlates ? s.map_rows : s.rows;
    out_columns = correlates ? s.map_columns : s.columns;

    const long phase_taps = divided_up(s.kernel, stride);
    const long phase_rows = correlates ? out_rows : divided_up(out_rows, stride);
    const long phase_columns = correlates ? out_columns : divided_up(out_columns, stride);

    // Minimal filtering, where its transforms are few beside the products.
    tile = 1;
    minimal_filtering = false;
    if ((phase_taps == 2 || phase_taps == 3) && s.kernel % stride == 0 &&
        in_channels >= least_channels && out_channels >= least_channels) {
        long best = cost_of(phase_rows, phase_columns, 1, phase_taps);
        for (const long candidate : {2L, 3L, 4L, 5L}) {
            if (candidate > largest || (phase_taps == 3 && candidate % 2 == 1))
                continue; // or no transform for it
            const long cost =
                cost_of(phase_rows, phase_columns, candidate, candidate + phase_taps - 1);
            if (cost < best) {
                best = cost;
                tile = candidate;
                minimal_filtering = true;
            }
        }
    }

    if (correlates) {
        in_step = s.stride;
        out_step = 1;
        out_planes = {{0, 0}};
        if (minimal_filtering) {
            taps = phase_taps;
            window_step = s.stride;
            in_planes.emplace_back();
            for (long b = 0; b < s.stride; ++b)
                for (long c = 0; c < s.stride; ++c)
                    in_planes[0].push_back({b - s.padding, c - s.padding});
        } else {
            taps = s.kernel;
            window_step = 1;
            in_planes = {{{-s.padding, -s.padding}}};
        }
    } else {
        in_step = 1;
        out_step = stride;
        taps = phase_taps;
        window_step = 1;
        // Phase b of the output begins at the first place i with stride * i + b >= padding, and
        // its output i takes inputs i - (taps - 1) to i.
        const auto begin = [&](long b) { return divided_up(std::max(0L, s.padding - b), stride); };
        for (long b = 0; b < stride; ++b)
            for (long c = 0; c < stride; ++c) {
                out_planes.push_back(
                    {stride * begin(b) + b - s.padding, stride * begin(c) + c - s.padding});
                in_planes.push_back({{begin(b) - (taps - 1), begin(c) - (taps - 1)}});
            }
    }
    window = tile + taps - 1;
    tile_rows = divided_up(phase_rows, tile);
    tile_columns = divided_up(phase_columns, tile);
}

namespace {

long extreme(const tiling& how, long place::*which, bool largest) {
    long value = largest ? std::numeric_limits<long>::min() : std::numeric_limits<long>::max();
    for (const auto& planes : how.in_planes)
        for (const place& plane : planes)
            value = largest ? std::max(value, plane.*which) : std::min(value, plane.*which);
    return value;
}

} // namespace

long tiling::first_row(long tile_row) const {
    return in_step * tile * tile_row + extreme(*this, &place::row, false);
}

long tiling::rows_read() const {
    return extreme(*this, &place::row, true) - extreme(*this, &place::row, false) +
           window_step * (window - 1) + 1;
}

long tiling::first_column() const { return extreme(*this, &place::column, false); }

long tiling::columns_read() const {
    return in_step * tile * (tile_columns - 1) + extreme(*this, &place::column, true) -
           first_column() + window_step * (window - 1) + 1;
}

} // namespace ffgan::layers
