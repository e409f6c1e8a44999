// SPDX-License-Identifier: GPL-3.0-or-later
//
// Filters in the form in which a tiling multiplies them: transformed, and in panels of 16. Which
// transforms there are is a parameter (strips.h).

#pragma once

#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/float8.h"
#include "kernels/panel_product.h"
#include "kernels/tiles.h"

#include <algorithm>

namespace ffgan::layers {

// Values that lie apart in memory: built in a register, which waits less than one that is loaded
// from where they have just been stored one by one.
template <class V> inline V load_apart(const float* p, long stride) {
    V v;
    if constexpr (detail::is_halves<V>::value) {
        v.low = load_apart<decltype(V::low)>(p, stride);
        v.high = load_apart<decltype(V::low)>(p + lanes_of<V> / 2 * stride, stride);
    } else {
        for (long i = 0; i < lanes_of<V>; ++i)
            v[i] = p[i * stride];
    }
    return v;
}

template <class Products>
void pack_filters_as(const tiled_filters& plan, const float* filters, float* storage) {
    const tiling& how = plan.how();
    const convolution_shape& s = how.shape;
    const long panels = plan.panels();
    const bool correlates = how.way == tiling::direction::correlate;
    const long taps = how.taps;
    const long stride = correlates ? s.stride : how.out_step;
    const long planes = static_cast<long>(how.out_planes.size());
    const long in_planes = static_cast<long>(how.in_planes[0].size());
    const long filter_size = s.channels * s.kernel * s.kernel;
    const long channel_size = s.kernel * s.kernel;
    const long in_stride = correlates ? channel_size : filter_size;
    const long out_stride = correlates ? filter_size : channel_size;

    parallel_chunks(planes * panels, [&](long, long begin, long end) {
        for (long output = begin; output < end; ++output) {
            const long plane = output / panels;
            const long first_out = output % panels * panel::columns;
            const long outs = std::min(panel::columns, how.out_channels - first_out);
            // Tap (a, b) of the small convolution between the first of these outputs and one input;
            // the next output's is out_stride further. Null where the filter ends before it.
            const auto tap = [&](long in_plane, long in, long a, long b) -> const float* {
                long row = a;
                long column = b;
                if (!correlates) { // the adjoint meets the taps from the last to the first
                    row = stride * (taps - 1 - a) + plane / stride;
                    column = stride * (taps - 1 - b) + plane % stride;
                } else if (how.minimal_filtering) {
                    row = stride * a + in_plane / stride;
                    column = stride * b + in_plane % stride;
                }
                if (row >= s.kernel || column >= s.kernel)
                    return nullptr;
                return filters + in * in_stride + first_out * out_stride + row * s.kernel + column;
            };
            // Those of outputs [begin, begin + 8).
            const auto load = [&](const float* first, long begin) {
                if (first == nullptr || begin >= outs)
                    return broadcast8(0.0f);
                first += begin * out_stride;
                if (begin + 8 <= outs)
                    return load_apart<float8>(first, out_stride);
                float values[8] = {};
                for (long j = 0; j < outs - begin; ++j)
                    values[j] = first[j * out_stride];
                return load8(values);
            };
            for (long chunk = 0; chunk < plan.chunks(); ++chunk) {
                const long rows = plan.depth(chunk);
                const auto panel_of = [&](long position) {
                    return plan.panel_begin(plane, chunk, position, output % panels);
                };
                float* const target = storage + panel_of(0);
                if (!how.minimal_filtering) {
                    // The taps of one pair of channels lie side by side in memory.
                    const long lines = (plan.chunk_end(chunk) - plan.chunk_begin(chunk)) * taps;
                    const long filled = lines * how.in_channels;
                    for (long in = 0; in < how.in_channels; ++in)
                        for (long line = 0; line < lines; ++line)
                            for (long half = 0; half < panel::columns; half += 8)
                                store8(target + (line * how.in_channels + in) * panel::columns +
                                           half,
                                       load(tap(0, in, plan.chunk_begin(chunk) + line / taps,
                                                line % taps),
                                            half));
                    std::fill_n(target + filled * panel::columns, (rows - filled) * panel::columns,
                                0.0f);
                    continue;
                }
                const long units = rows / in_planes;
                const long to_next = panel_of(1) - panel_of(0); // position
                Products::with_transform(how.tile, taps, [&](auto transform) {
                    constexpr int R = transform.taps;
                    constexpr int N = transform.window;
                    for (long in_plane = 0; in_plane < in_planes; ++in_plane)
                        for (long unit = 0; unit < units; ++unit) {
                            const long in = plan.chunk_begin(chunk) + unit;
                            float* to = target + (in_plane * units + unit) * panel::columns;
                            const float* first[R * R] = {};
                            if (in < plan.chunk_end(chunk))
                                for (int k = 0; k < R * R; ++k)
                                    first[k] = tap(in_plane, in, k / R, k % R);
                            for (long half = 0; half < panel::columns; half += 8, to += 8) {
                                float8 g[R * R], u[N * N];
                                for (int k = 0; k < R * R; ++k)
                                    g[k] = load(first[k], half);
                                in_two_dimensions<R, N>(g, u, [&](const float8* x, float8* y) {
                                    transform.filter(x, y);
                                });
                                for (long p = 0; p < N * N; ++p)
                                    store8(to + p * to_next, u[p]);
                            }
                        }
                });
            }
        }
    });
}

} // namespace ffgan::layers
