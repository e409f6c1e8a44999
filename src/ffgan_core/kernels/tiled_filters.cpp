// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/float8.h"
#include "base/threads.h"
#include "kernels/panel_product.h"
#include "kernels/sizes.h"
#include "kernels/tiles.h"

#include <algorithm>

namespace ffgan::layers {

tiled_filters::tiled_filters(const tiling& how) : how_(how) {
    const long per_unit =
        how.minimal_filtering
            ? how.positions() * static_cast<long>(how.in_planes[0].size()) * block_tiles
            : how.window * how.in_channels * block_tiles;
    const long units = how.minimal_filtering ? how.in_channels : how.window;
    const long least = how.minimal_filtering ? 16 : 1;
    const long most = std::max(least, block_floats / per_unit);
    chunk_size_ = divided_up(units, divided_up(units, most));
    if (how.minimal_filtering)
        chunk_size_ = rounded_up(chunk_size_, 8);
    chunks_ = divided_up(units, chunk_size_);
    panels_ = divided_up(how.out_channels, panel::columns);
    long depth_of_all = 0;
    for (long c = 0; c < chunks_; ++c)
        depth_of_all += depth(c);
    size_ = static_cast<long>(how.out_planes.size()) * panels_ * how.positions() * depth_of_all *
            panel::columns;
}

long tiled_filters::chunk_end(long chunk) const {
    return std::min(chunk_begin(chunk + 1),
                    how_.minimal_filtering ? how_.in_channels : how_.window);
}

long tiled_filters::depth(long chunk) const {
    const long units = chunk_end(chunk) - chunk_begin(chunk);
    return how_.minimal_filtering
               ? rounded_up(units, 8) * static_cast<long>(how_.in_planes[0].size())
               : units * how_.window * how_.in_channels;
}

const float* tiled_filters::panel(const float* storage, long plane, long chunk, long panel) const {
    // All chunks but the last one have the same depth.
    const long unit = panels_ * how_.positions() * panel::columns;
    const long planes = static_cast<long>(how_.out_planes.size());
    return storage + chunk * planes * unit * depth(0) +
           (plane * panels_ + panel) * how_.positions() * panel::columns * depth(chunk);
}

void tiled_filters::pack(const float* filters, float* storage) const {
    const convolution_shape& s = how_.shape;
    const bool correlates = how_.way == tiling::direction::correlate;
    const long taps = how_.taps;
    const long stride = correlates ? s.stride : how_.out_step;
    const long planes = static_cast<long>(how_.out_planes.size());
    const long in_planes = static_cast<long>(how_.in_planes[0].size());
    const long filter_size = s.channels * s.kernel * s.kernel;
    const long channel_size = s.kernel * s.kernel;
    const long in_stride = correlates ? channel_size : filter_size;
    const long out_stride = correlates ? filter_size : channel_size;

    parallel_chunks(planes * panels_, [&](long, long begin, long end) {
        for (long output = begin; output < end; ++output) {
            const long plane = output / panels_;
            const long first_out = output % panels_ * panel::columns;
            const long outs = std::min(panel::columns, how_.out_channels - first_out);
            // Tap (a, b) of the small convolution between these outputs and one input.
            const auto load = [&](long in_plane, long in, long a, long b, float* values) {
                long row = a;
                long column = b;
                if (!correlates) { // the adjoint meets the taps from the last to the first
                    row = stride * (taps - 1 - a) + plane / stride;
                    column = stride * (taps - 1 - b) + plane % stride;
                } else if (how_.minimal_filtering) {
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
            for (long chunk = 0; chunk < chunks_; ++chunk) {
                const long rows = depth(chunk);
                float* target =
                    storage + (panel(storage, plane, chunk, output % panels_) - storage);
                if (!how_.minimal_filtering) {
                    // The taps of one pair of channels lie side by side in memory.
                    const long lines = (chunk_end(chunk) - chunk_begin(chunk)) * taps;
                    for (long in = 0; in < how_.in_channels; ++in)
                        for (long line = 0; line < lines; ++line)
                            load(0, in, chunk_begin(chunk) + line / taps, line % taps,
                                 target + (line * how_.in_channels + in) * panel::columns);
                    continue;
                }
                const long units = rows / in_planes;
                with_transform(how_.tile, taps, [&](auto transform) {
                    constexpr int R = transform.taps;
                    constexpr int N = transform.window;
                    for (long in_plane = 0; in_plane < in_planes; ++in_plane)
                        for (long unit = 0; unit < units; ++unit) {
                            const long in = chunk_begin(chunk) + unit;
                            float values[R * R][panel::columns] = {};
                            if (in < chunk_end(chunk))
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
                                    store8(target +
                                               (p * rows + in_plane * units + unit) *
                                                   panel::columns +
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
