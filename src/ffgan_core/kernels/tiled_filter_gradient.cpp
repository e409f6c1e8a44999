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

// Copies rows [row, row + rows) of a sample's map into `pixels` of `stride` floats, `columns` per
// row.
void load_map(const convolution_shape& s, const layer_values& map, long sample, long row, long rows,
              long columns, long stride, float* pixels) {
    for (long r = 0; r < rows; ++r, pixels += columns * stride) {
        if (row + r >= s.map_rows) {
            std::fill_n(pixels, columns * stride, 0.0f);
            continue;
        }
        load_pixels(map, sample, s.filters, s.map_rows * s.map_columns, (row + r) * s.map_columns,
                    s.map_columns, 0, s.filters, pixels, stride);
        std::fill_n(pixels + s.map_columns * stride, (columns - s.map_columns) * stride, 0.0f);
    }
}

// As rows_ahead, of the map.
fetch_ahead map_ahead(const tiling& how, const layer_values& map, long first, long last,
                      long steps) {
    if (!map.channels_last || last <= first)
        return {};
    const convolution_shape& s = how.shape;
    const auto row = [&](long strip, long more) {
        const long in_sample = std::min(s.map_rows, (strip % how.tile_rows + more) * how.tile);
        return map.values +
               (strip / how.tile_rows * s.map_rows + in_sample) * s.map_columns * s.filters;
    };
    return {row(first, 0), row(last - 1, 1), steps};
}

// How the depth is divided.
struct chunking {
    long units;     // channels, or rows of the window without minimal filtering
    long size;      // units of a chunk
    long per_unit;  // floats of a unit in a tile
    long of_panels; // floats of a sum for each row of the depth, of all positions

    long chunks() const { return divided_up(units, size); }
    long begin(long chunk) const { return chunk * size; }
    long end(long chunk) const { return std::min(units, begin(chunk + 1)); }
    long sum_size() const { return of_panels * depth(size); }
    // Rows of a sum.
    long depth(long some) const { return rounded_up(per_unit * some, panel::depth_block); }
};

chunking chunking_of(const tiling& how) {
    const convolution_shape& s = how.shape;
    const bool minimal = how.minimal_filtering;
    chunking result;
    result.units = minimal ? s.channels : how.window;
    result.per_unit =
        minimal ? static_cast<long>(how.in_planes[0].size()) : how.window * s.channels;
    const long most = minimal ? gradient_depth / result.per_unit
                              : std::max(1L, gradient_floats / block_tiles / result.per_unit);
    result.size = divided_up(result.units, divided_up(result.units, most));
    if (minimal)
        result.size = rounded_up(result.size, panel::depth_block);
    result.of_panels = how.positions() * rounded_up(s.filters, panel::columns);
    return result;
}

// The sums of chunks [first_chunk, last_chunk) over strips [first_strip, last_strip), one after the
// other: sum[position][panel][depth][16].
void sum_chunks(const tiling& how, const chunking& parts_of_depth, long first_chunk,
                long last_chunk, long first_strip, long last_strip, const layer_values& image,
                const layer_values& map, float* sums) {
    static thread_local workspace in_workspace, map_workspace, windows_workspace,
        gradients_workspace;
    const convolution_shape& s = how.shape;
    const bool minimal = how.minimal_filtering;
    const std::vector<place>& planes = how.in_planes[0];
    const long panels = divided_up(s.filters, panel::columns);
    const long map_pixel = panels * panel::columns;
    const long columns = how.columns_read();
    const long map_columns = how.tile_columns * how.tile;
    const long per_block = std::max(1L, (block_tiles + how.tile_columns / 2) / how.tile_columns);
    std::vector<strip> parts;
    for (long first = first_strip; first < last_strip; first += per_block) {
        const long last = std::min(last_strip, first + per_block);
        const long tiles = (last - first) * how.tile_columns;
        parts.resize(count(last - first));
        const long gradient_stride = map_pixel * tiles + position_padding;
        float* gradients = gradients_workspace.get(count(how.positions() * gradient_stride));
        float* map_pixels = map_workspace.get(count(how.tile * map_columns * map_pixel));
        for (long i = 0; i < last - first; ++i) {
            const long sample = (first + i) / how.tile_rows;
            const long row = (first + i) % how.tile_rows;
            parts[count(i)].tile_row = row;
            if (minimal) {
                load_map(s, map, sample, row * how.tile, how.tile, map_columns, map_pixel,
                         map_pixels);
                fill_gradients(how, map_pixels, map_pixel, panels, i * how.tile_columns, tiles,
                               gradients);
            } else {
                load_map(s, map, sample, row, 1, map_columns, map_pixel,
                         gradients + i * map_columns * map_pixel);
            }
        }
        // While this block is multiplied, the next one comes closer.
        const long next = std::min(last_strip, last + per_block);
        const long steps = (last_chunk - first_chunk) * how.positions();
        fetch_ahead next_rows = rows_ahead(how, image, last, next, steps);
        fetch_ahead next_map = map_ahead(how, map, last, next, steps);
        for (long chunk = first_chunk; chunk < last_chunk; ++chunk) {
            const long begin = parts_of_depth.begin(chunk), end = parts_of_depth.end(chunk);
            const long units = minimal ? rounded_up(end - begin, panel::depth_block) : end - begin;
            const long depth = parts_of_depth.depth(units);
            const long pixel = minimal ? units : s.channels;
            const long rows_size = how.rows_read() * columns * pixel;
            float* pixels = in_workspace.get(count((last - first) * rows_size));
            for (long i = 0; i < last - first; ++i, pixels += rows_size) {
                strip& part = parts[count(i)];
                load_rows(how, image, (first + i) / how.tile_rows, part.tile_row,
                          minimal ? begin : 0, minimal ? end : s.channels, pixels, pixel);
                part.in = {pixels - (how.first_row(part.tile_row) * columns + how.first_column()) *
                                        pixel,
                           columns * pixel, pixel};
            }
            const long window_stride = tiles * depth + position_padding;
            float* windows = windows_workspace.get(count(how.positions() * window_stride));
            fill_windows(how, parts, planes, begin, end, windows, window_stride);
            float* sum = sums + (chunk - first_chunk) * parts_of_depth.sum_size();
            for (long p = 0; p < how.positions(); ++p) {
                next_rows.step();
                next_map.step();
                panel::multiply_transposed(
                    depth, windows + p * window_stride, tiles * panel::depth_block, tiles,
                    gradients + p * gradient_stride, minimal ? panel::columns : map_pixel,
                    minimal ? tiles * panel::columns : panel::columns, panels, first > first_strip,
                    sum + p * panels * depth * panel::columns, depth * panel::columns);
            }
        }
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

void tiled_filter_gradient(const convolution_shape& s, long samples, const layer_values& image,
                           const layer_values& map, float* gradient) {
    static thread_local workspace sums_workspace;
    const tiling how(s, tiling::direction::correlate, largest_tile_in_training);
    const chunking depth = chunking_of(how);
    const long strips = samples * how.tile_rows, chunks = depth.chunks();
    // The threads share the strips, and each reads its part of both operands once; without minimal
    // filtering, where the sums are large and the maps are small, they share the chunks first.
    const long parts =
        std::min(how.minimal_filtering ? threads() : divided_up(threads(), chunks), strips);
    const long at_once = how.minimal_filtering ? chunks : 1; // chunks of a task
    const long tasks = divided_up(chunks, at_once) * parts;
    const long sum_size = depth.sum_size();
    float* sums = sums_workspace.get(count(chunks * parts * sum_size));
    // Of a part the sums of all chunks.
    const auto sums_of = [&](long part, long chunk) {
        return sums + (part * chunks + chunk) * sum_size;
    };
    parallel_chunks(tasks, [&](long, long first, long last) {
        for (long task = first; task < last; ++task) {
            const long part = task % parts, chunk = task / parts * at_once;
            sum_chunks(how, depth, chunk, std::min(chunks, chunk + at_once), part * strips / parts,
                       (part + 1) * strips / parts, image, map, sums_of(part, chunk));
        }
    });
    parallel_chunks(chunks, [&](long, long first, long last) {
        for (long chunk = first; chunk < last; ++chunk) {
            float* total = sums_of(0, chunk);
            for (long part = 1; part < parts; ++part) {
                const float* more = sums_of(part, chunk);
                for (long i = 0; i < sum_size; ++i)
                    total[i] += more[i];
            }
            store_gradient(how, depth.begin(chunk), depth.end(chunk), total, gradient);
        }
    });
}

} // namespace ffgan::layers
