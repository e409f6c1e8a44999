// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/channel_order.h"
#include "kernels/float8.h"
#include "kernels/panel_product.h"
#include "kernels/tiles.h"

#include <algorithm>

namespace ffgan::layers {
namespace {

// Rows of a chunk of the depth: enough that transforming the map for each costs little.
constexpr long gradient_depth = 128;
// Floats of the windows of a block where they are not transformed, for L2.
constexpr long gradient_floats = 64 * 1024;

// One strip's part of the map in the transformed domain, adjoint to store_tiles:
// d[position][panel][tile][16] from tile `first_tile` of `tiles` on. pixels: the strip's rows of
// the map, channels last, with zeros where the map ends.
void fill_gradients(const tiling& how, const float* pixels, long pixel_stride, long panels,
                    long first_tile, long tiles, float* d) {
    with_transform(how.tile, how.taps, [&](auto transform) {
        constexpr int M = transform.tile;
        constexpr int N = transform.window;
        const long row_stride = how.tile_columns * M * pixel_stride;
        const long position_stride = panels * tiles * panel::columns + position_padding;
        for (long t = 0; t < how.tile_columns; ++t)
            for (long c = 0; c < pixel_stride; c += 8) {
                float8 y[M * M], m[N * N];
                for (int u = 0; u < M; ++u)
                    for (int w = 0; w < M; ++w)
                        y[u * M + w] =
                            load8(pixels + u * row_stride + (t * M + w) * pixel_stride + c);
                in_two_dimensions<M, N>(
                    y, m, [&](const float8* x, float8* z) { transform.output_adjoint(x, z); });
                float* target = d + (c / panel::columns * tiles + first_tile + t) * panel::columns +
                                c % panel::columns;
#pragma GCC unroll 36
                for (int p = 0; p < N * N; ++p)
                    store8(target + p * position_stride, m[p]);
            }
    });
}

// Copies rows [row, row + rows) of the map into `pixels` of `stride` floats, `columns` per row.
void load_map(const convolution_shape& s, const float* planes, long row, long rows, long columns,
              long stride, float* pixels) {
    const long plane_size = s.map_rows * s.map_columns;
    for (long r = 0; r < rows; ++r, pixels += columns * stride) {
        if (row + r >= s.map_rows) {
            std::fill_n(pixels, columns * stride, 0.0f);
            continue;
        }
        planes_to_channels_last(planes + (row + r) * s.map_columns, plane_size, s.filters,
                                s.map_columns, pixels, stride);
        std::fill_n(pixels + s.map_columns * stride, (columns - s.map_columns) * stride, 0.0f);
        if (stride > s.filters)
            for (long i = 0; i < s.map_columns; ++i)
                std::fill_n(pixels + i * stride + s.filters, stride - s.filters, 0.0f);
    }
}

// The sum of a chunk of the depth, [begin, end) as in fill_windows, over strips
// [first_strip, last_strip): sum[position][panel][depth][16].
void sum_chunk(const tiling& how, long first_strip, long last_strip, long begin, long end,
               const float* image, const float* map, float* sum) {
    static thread_local workspace in_workspace, map_workspace, windows_workspace,
        gradients_workspace;
    const convolution_shape& s = how.shape;
    const std::vector<place>& planes = how.in_planes[0];
    const long panels = divided_up(s.filters, panel::columns);
    const long map_pixel = panels * panel::columns;
    const long units = end - begin;
    const long channel = how.minimal_filtering ? begin : 0;
    const long channel_end = how.minimal_filtering ? end : s.channels;
    const long pixel = how.minimal_filtering ? rounded_up(units, panel::depth_block) : s.channels;
    const long depth =
        how.minimal_filtering
            ? rounded_up(units, panel::depth_block) * static_cast<long>(planes.size())
            : rounded_up(units * how.window * s.channels, panel::depth_block);
    const long columns = how.columns_read();
    const long rows_size = how.rows_read() * columns * pixel;
    const long map_columns = how.tile_columns * how.tile;
    const long image_size = s.channels * s.rows * s.columns;
    const long map_size = s.filters * s.map_rows * s.map_columns;
    const long per_block = std::max(1L, (block_tiles + how.tile_columns / 2) / how.tile_columns);
    std::vector<strip> parts;
    for (long first = first_strip; first < last_strip; first += per_block) {
        const long last = std::min(last_strip, first + per_block);
        const long tiles = (last - first) * how.tile_columns;
        parts.resize(count(last - first));
        float* pixels = in_workspace.get(count((last - first) * rows_size));
        const long gradient_stride = map_pixel * tiles + position_padding;
        float* gradients = gradients_workspace.get(count(how.positions() * gradient_stride));
        float* map_pixels = map_workspace.get(count(how.tile * map_columns * map_pixel));
        for (long i = 0; i < last - first; ++i, pixels += rows_size) {
            const long sample = (first + i) / how.tile_rows;
            strip& part = parts[count(i)];
            part.tile_row = (first + i) % how.tile_rows;
            load_rows(how, image + sample * image_size, part.tile_row, channel, channel_end, pixels,
                      pixel);
            part.in = {pixels -
                           (how.first_row(part.tile_row) * columns + how.first_column()) * pixel,
                       columns * pixel, pixel};
            if (how.minimal_filtering) {
                load_map(s, map + sample * map_size, part.tile_row * how.tile, how.tile,
                         map_columns, map_pixel, map_pixels);
                fill_gradients(how, map_pixels, map_pixel, panels, i * how.tile_columns, tiles,
                               gradients);
            } else {
                load_map(s, map + sample * map_size, part.tile_row, 1, map_columns, map_pixel,
                         gradients + i * map_columns * map_pixel);
            }
        }
        const long window_stride = tiles * depth + position_padding;
        float* windows = windows_workspace.get(count(how.positions() * window_stride));
        fill_windows(how, parts, planes, begin, end, windows, window_stride);
        for (long p = 0; p < how.positions(); ++p)
            panel::multiply_transposed(
                depth, windows + p * window_stride, tiles * panel::depth_block, tiles,
                gradients + p * gradient_stride, how.minimal_filtering ? panel::columns : map_pixel,
                how.minimal_filtering ? tiles * panel::columns : panel::columns, panels,
                first > first_strip, sum + p * panels * depth * panel::columns,
                depth * panel::columns);
    }
}

// Puts the sum of a chunk where its taps are in (filters, channels, kernel, kernel).
void store_gradient(const tiling& how, long begin, long end, const float* sum, float* gradient) {
    const convolution_shape& s = how.shape;
    const long panels = divided_up(s.filters, panel::columns);
    const long taps_size = s.kernel * s.kernel;
    const auto store = [&](long panel, long channel, long row, long column, const float* values) {
        const long first = panel * panel::columns;
        for (long j = 0; j < std::min(panel::columns, s.filters - first); ++j)
            gradient[((first + j) * s.channels + channel) * taps_size + row * s.kernel + column] =
                values[j];
    };
    if (!how.minimal_filtering) {
        const long depth = rounded_up((end - begin) * how.window * s.channels, panel::depth_block);
        for (long j = 0; j < panels; ++j) {
            const float* values = sum + j * depth * panel::columns;
            for (long row = begin; row < end; ++row)
                for (long column = 0; column < s.kernel; ++column)
                    for (long c = 0; c < s.channels; ++c, values += panel::columns)
                        store(j, c, row, column, values);
        }
        return;
    }
    const long units = rounded_up(end - begin, panel::depth_block);
    const long planes = static_cast<long>(how.in_planes[0].size());
    const long position_stride = panels * planes * units * panel::columns;
    with_transform(how.tile, how.taps, [&](auto transform) {
        constexpr int R = transform.taps;
        constexpr int N = transform.window;
        for (long j = 0; j < panels; ++j)
            for (long plane = 0; plane < planes; ++plane)
                for (long c = 0; c < end - begin; ++c) {
                    const float* first = sum + ((j * planes + plane) * units + c) * panel::columns;
                    float values[R * R][panel::columns];
                    for (long half = 0; half < panel::columns; half += 8) {
                        float8 u[N * N], g[R * R];
                        for (int p = 0; p < N * N; ++p)
                            u[p] = load8(first + p * position_stride + half);
                        in_two_dimensions<N, R>(u, g, [&](const float8* x, float8* y) {
                            transform.filter_adjoint(x, y);
                        });
                        for (int k = 0; k < R * R; ++k)
                            store8(values[k] + half, g[k]);
                    }
                    for (int k = 0; k < R * R; ++k)
                        store(j, begin + c, s.stride * (k / R) + plane / s.stride,
                              s.stride * (k % R) + plane % s.stride, values[k]);
                }
    });
}

} // namespace

void tiled_filter_gradient(const convolution_shape& s, long samples, const float* image,
                           const float* map, float* gradient) {
    static thread_local workspace sums_workspace;
    const tiling how(s, tiling::direction::correlate, largest_tile_in_training);
    const long strips = samples * how.tile_rows;
    const long panels = divided_up(s.filters, panel::columns);
    const long units = how.minimal_filtering ? s.channels : how.window;
    const long per_unit = how.minimal_filtering ? static_cast<long>(how.in_planes[0].size())
                                                : how.window * s.channels;
    // Chunks of the depth are summed independently; where there are too few of them for the
    // threads, so are parts of the strips.
    const long most = how.minimal_filtering
                          ? gradient_depth / per_unit
                          : std::max(1L, gradient_floats / block_tiles / per_unit);
    long chunk_size = divided_up(units, divided_up(units, most));
    if (how.minimal_filtering)
        chunk_size = rounded_up(chunk_size, panel::depth_block);
    const long chunks = divided_up(units, chunk_size);
    const long parts = std::min(divided_up(threads(), chunks), strips);
    const long sum_size = how.positions() * panels * panel::columns *
                          rounded_up(per_unit * chunk_size, panel::depth_block);
    float* sums = sums_workspace.get(count(chunks * parts * sum_size));
    parallel_chunks(chunks * parts, [&](long, long first, long last) {
        for (long task = first; task < last; ++task) {
            const long begin = task / parts * chunk_size;
            const long end = std::min(units, begin + chunk_size);
            const long part = task % parts;
            sum_chunk(how, part * strips / parts, (part + 1) * strips / parts, begin, end, image,
                      map, sums + task * sum_size);
            if (parts == 1)
                store_gradient(how, begin, end, sums + task * sum_size, gradient);
        }
    });
    if (parts == 1)
        return;
    parallel_chunks(chunks, [&](long, long first, long last) {
        for (long chunk = first; chunk < last; ++chunk) {
            float* total = sums + chunk * parts * sum_size;
            for (long part = 1; part < parts; ++part)
                for (long i = 0; i < sum_size; ++i)
                    total[i] += total[part * sum_size + i];
            store_gradient(how, chunk * chunk_size, std::min(units, (chunk + 1) * chunk_size),
                           total, gradient);
        }
    });
}

} // namespace ffgan::layers
