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
            // Tap (a, b) of the small convolution between these outputs and one input.
            const auto load = [&](long in_plane, long in, long a, long b, float* values) {
                long row = a;
                long column = b;
                if (!correlates) { // the adjoint meets the taps from the last to the first
                    row = stride * (taps - 1 - a) + plane / stride;
                    column = stride * (taps - 1 - b) + plane % stride;
                } else if (how.minimal_filtering) {
                    row = stride * a + in_plane / stride;
                    column = stride * b + in_plane % stride;
                }
                std::fill_n(values, panel::columns, 0.0f);
                if (row >= s.kernel || column >= s.kernel)
                    return;
                const float* first =
                    filters + in * in_stride + first_out * out_stride + row * s.kernel + column;
                for (long j = 0; j < outs; ++j)
                    values[j] = first[j * out_stride];
            };
            for (long chunk = 0; chunk < plan.chunks(); ++chunk) {
                const long rows = plan.depth(chunk);
                const auto target = [&](long position) {
                    return storage + plan.panel_begin(plane, chunk, position, output % panels);
                };
                if (!how.minimal_filtering) {
                    // The taps of one pair of channels lie side by side in memory.
                    const long lines = (plan.chunk_end(chunk) - plan.chunk_begin(chunk)) * taps;
                    const long filled = lines * how.in_channels;
                    for (long in = 0; in < how.in_channels; ++in)
                        for (long line = 0; line < lines; ++line)
                            load(0, in, plan.chunk_begin(chunk) + line / taps, line % taps,
                                 target(0) + (line * how.in_channels + in) * panel::columns);
                    std::fill_n(target(0) + filled * panel::columns,
                                (rows - filled) * panel::columns, 0.0f);
                    continue;
                }
                const long units = rows / in_planes;
                Products::with_transform(how.tile, taps, [&](auto transform) {
                    constexpr int R = transform.taps;
                    constexpr int N = transform.window;
                    for (long in_plane = 0; in_plane < in_planes; ++in_plane)
                        for (long unit = 0; unit < units; ++unit) {
                            const long in = plan.chunk_begin(chunk) + unit;
                            float values[R * R][panel::columns] = {};
                            if (in < plan.chunk_end(chunk))
                                for (int k = 0; k < R * R; ++k)
                                    load(in_plane, in, k / R, k % R, values[k]);
                            for (long half = 0; half < panel::columns; half += 8) {
                                float8 g[R * R], u[N * N];
                                for (int k = 0; k < R * R; ++k)
                                    g[k] = load8(values[k] + half);
                                in_two_dimensions<R, N>(g, u, [&](const float8* x, float8* y) {
                                    transform.filter(x, y);
                                });
                                for (long p = 0; p < N * N; ++p)
                                    store8(target(p) + (in_plane * units + unit) * panel::columns +
                                               half,
                                           u[p]);
                            }
                        }
                });
            }
        }
    });
}

} // namespace ffgan::layers
