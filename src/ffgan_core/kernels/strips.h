// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way of strips of tiles through a convolution: windows transformed from pixels, multiplied,
// outputs transformed back. How numbers are multiplied, and lie in memory for that, is a parameter,
// since there are products of floats and of bf16.

#pragma once

#include "base/sizes.h"
#include "kernels/fetch_ahead.h"
#include "kernels/native.h"
#include "kernels/panel_product.h"
#include "kernels/tiles.h"

#include <algorithm>
#include <vector>

namespace ffgan::layers {

// Products of floats. The members are what the functions below want of their parameter Products.
struct float_products {
    // What a tile or a row of panels has in a block of 16 of the depth, in places of a float.
    static constexpr long line = panel::depth_block;
    // Value i of a tile's line, and those after it.
    static void store(float* line, long i, native values) { store_native(line + i, values); }
    // Eight and one: where registers cannot be loaded in part, without AVX-512.
    static void store_eight(float* line, long i, float8 values) { store8(line + i, values); }
    static void store_one(float* line, long i, float value) { line[i] = value; }
    // Calls f with the transforms of a tile.
    template <class F> static void with_transform(long tile, long taps, const F& f) {
        layers::with_transform(tile, taps, f);
    }

    bool exact; // see panel_product.h
    void multiply(long rows, const float* l, long l_stride, long depth, const float* panels,
                  long panel_count, bool add, float* c, long c_stride) const {
        panel::multiply(rows, l, l_stride, depth, panels, panel_count, add, c, c_stride, exact);
    }
};

// What becomes of one tile when windows are not transformed: rows of the image, one after the
// other, in lines of a block of the depth, `block_stride` apart.
template <class Products>
inline void copy_window(const tiling& how, const strip& part, long tile, const place& first,
                        long begin, long end, float* v, long block_stride) {
    const long values = how.window * how.in_channels;
    const auto line = [&](long p) { return v + p / panel::depth_block * block_stride; };
    long p = 0;
#if defined(__AVX512F__)
    native block{}; // up to p
    for (long a = begin; a < end; ++a) {
        const float* source = part.in.at(how.in_step * part.tile_row + first.row + a,
                                         how.in_step * tile + first.column);
        for (long done = 0, n = 0; done < values; done += n, p += n) {
            const long lane = p % panel::depth_block;
            n = std::min(values - done, panel::depth_block - lane);
            block = load_from_lane(block, lane, n, source + done);
            if (lane + n == panel::depth_block) {
                Products::store(line(p), 0, block);
                block = native{};
            }
        }
    }
    if (p % panel::depth_block != 0)
        Products::store(line(p), 0, block);
#else
    for (long a = begin; a < end; ++a) {
        const float* source = part.in.at(how.in_step * part.tile_row + first.row + a,
                                         how.in_step * tile + first.column);
        long done = 0;
        if (p % 8 == 0) // eight never cross the end of a block
            for (; done + 8 <= values; done += 8)
                Products::store_eight(line(p + done), (p + done) % panel::depth_block,
                                      load8(source + done));
        for (; done < values; ++done)
            Products::store_one(line(p + done), (p + done) % panel::depth_block, source[done]);
        p += values;
    }
    for (; p % panel::depth_block != 0; ++p)
        Products::store_one(line(p), p % panel::depth_block, 0.0f);
#endif
}

// The transformed windows of the strips' tiles in the given phases of the input, of channels
// [begin, end) (without minimal filtering: of rows [begin, end) of the window):
// v[position][depth / 16][tile][Products::line], with zeros up to a multiple of 16 channels (or
// values).
template <class Products>
void fill_windows_as(const tiling& how, const std::vector<strip>& strips,
                     const std::vector<place>& planes, long begin, long end, float* v,
                     long position_stride) {
    const long tiles = static_cast<long>(strips.size()) * how.tile_columns;
    const long block_stride = tiles * Products::line;
    if (!how.minimal_filtering) {
        for (const strip& part : strips)
            for (long t = 0; t < how.tile_columns; ++t, v += Products::line)
                copy_window<Products>(how, part, t, planes[0], begin, end, v, block_stride);
        return;
    }
    const long units = end - begin;
    const long step = how.in_step * how.tile;
    Products::with_transform(how.tile, how.taps, [&](auto transform) {
        constexpr int N = transform.window;
        for (const place& plane : planes) {
            float* tile = v;
            for (const strip& part : strips) {
                const float* window = part.in.at(step * part.tile_row + plane.row, plane.column);
                const long row_stride = how.window_step * part.in.row_stride;
                const long column_stride = how.window_step * part.in.pixel_stride;
                for (long t = 0; t < how.tile_columns;
                     ++t, tile += Products::line, window += step * part.in.pixel_stride)
                    for (long c = 0; c < units; c += native_lanes) {
                        const float* first = window + c;
                        long from_row = row_stride;
                        long from_column = column_stride;
                        float last[N * N * native_lanes];
                        if (c + native_lanes > units) { // the last, incomplete register
                            for (int j = 0; j < N; ++j)
                                for (int l = 0; l < N; ++l)
                                    store_native(
                                        last + (j * N + l) * native_lanes,
                                        load_first(first + j * row_stride + l * column_stride,
                                                   units - c));
                            first = last;
                            from_row = N * native_lanes;
                            from_column = native_lanes;
                        }
                        float* target = tile + c / panel::depth_block * block_stride;
                        transform_square<N, N, native>(
                            [&](const native* x, native* y) { transform.input(x, y); },
                            [&](int j, int l) {
                                return load_native(first + j * from_row + l * from_column);
                            },
                            [&](int j, int l, native u) {
                                Products::store(target + (j * N + l) * position_stride,
                                                c % panel::depth_block, u);
                            });
                    }
            }
            // Registers that no channel is in.
            const long written = rounded_up(units, native_lanes);
            const long padded = rounded_up(units, panel::depth_block);
            for (long c = written; c < padded; c += native_lanes)
                for (long p = 0; p < N * N; ++p)
                    for (long t = 0; t < tiles; ++t)
                        Products::store(v + p * position_stride +
                                            c / panel::depth_block * block_stride +
                                            t * Products::line,
                                        c % panel::depth_block, native{});
            v += padded / panel::depth_block * block_stride;
        }
    });
}

// What follows a product, for the registers of a panel.
class finish {
  public:
    static constexpr long registers = panel::columns / native_lanes;
    native bias[registers];

    finish(const epilogue& end, long channel)
        : slope_(broadcast<native>(end.activate ? end.slope : 1.0f)),
          scaled_(end.scale != nullptr) {
        const auto read = [&](const float* values, long k) {
            return values != nullptr ? load_native(values + channel + k * native_lanes) : native{};
        };
        for (long k = 0; k < registers; ++k) {
            bias[k] = read(end.bias, k);
            scale_[k] = read(end.scale, k);
            shift_[k] = read(end.shift, k);
        }
    }

    // Of a value to which the bias is added.
    native operator()(native x, long k) const {
        x = larger(x, x * slope_); // a slope is between 0 and 1
        return scaled_ ? x * scale_[k] + shift_[k] : x;
    }

  private:
    native slope_, scale_[registers], shift_[registers];
    bool scaled_;
};

// Writes one panel of output channels of the strips' tiles from the products
// c[position][tile][16].
template <class Products>
void store_tiles(const tiling& how, const std::vector<strip>& strips, const place& plane,
                 long channel, const float* c, long position_stride, const epilogue& end) {
    const finish finished(end, channel);
    const long channels = std::min(panel::columns, how.out_channels - channel);
    const bool whole = strips.empty() || strips[0].out.pixel_stride >= channel + panel::columns;
    // How many values of register k of a panel are stored.
    const auto stored = [&](long k) { return whole ? native_lanes : channels - k * native_lanes; };
    if (!how.minimal_filtering) {
        for (const strip& part : strips) {
            const long row = how.out_step * part.tile_row + plane.row;
            for (long t = 0; t < how.tile_columns; ++t, c += panel::columns) {
                const long column = how.out_step * t + plane.column;
                if (row < how.out_rows && column < how.out_columns)
                    for (long k = 0; k < finish::registers; ++k)
                        store_first(
                            part.out.at(row, column) + channel + k * native_lanes, stored(k),
                            finished(load_native(c + k * native_lanes) + finished.bias[k], k));
            }
        }
        return;
    }
    Products::with_transform(how.tile, how.taps, [&](auto transform) {
        constexpr int M = transform.tile;
        constexpr int N = transform.window;
        for (const strip& part : strips) {
            const long row = how.out_step * M * part.tile_row + plane.row;
            const long rows = std::min<long>(M, divided_up(how.out_rows - row, how.out_step));
            const long row_stride = how.out_step * part.out.row_stride;
            const long column_stride = how.out_step * part.out.pixel_stride;
            for (long t = 0; t < how.tile_columns; ++t, c += panel::columns) {
                const long column = how.out_step * M * t + plane.column;
                const long columns =
                    std::min<long>(M, divided_up(how.out_columns - column, how.out_step));
                const bool complete = whole && rows == M && columns == M;
                for (long k = 0; k < finish::registers; ++k) {
                    float* const target = part.out.at(row, column) + channel + k * native_lanes;
                    // A tile that sticks out goes through memory of its own.
                    float square[M * M * native_lanes];
                    float* first = complete ? target : square;
                    const long to_row = complete ? row_stride : M * native_lanes;
                    const long to_column = complete ? column_stride : native_lanes;
                    const float* product = c + k * native_lanes;
                    transform_square<N, M, native>(
                        [&](const native* x, native* y) { transform.output(x, y); },
                        [&](int j, int l) {
                            const native m = load_native(product + (j * N + l) * position_stride);
                            return transform.adds_product_1 && j == 1 && l == 1
                                       ? m + finished.bias[k]
                                       : m;
                        },
                        [&](int u, int w, native y) {
                            if constexpr (!transform.adds_product_1)
                                y = y + finished.bias[k];
                            store_native(first + u * to_row + w * to_column, finished(y, k));
                        });
                    if (!complete)
                        for (long u = 0; u < rows; ++u)
                            for (long w = 0; w < columns; ++w)
                                store_first(target + u * row_stride + w * column_stride, stored(k),
                                            load_native(square + (u * M + w) * native_lanes));
                }
            }
        }
    });
}

// Panels whose products stay in a cache until they are transformed back, where the windows are
// small enough to be read again for each lot of them; else all `panels`.
inline long panels_per_lot(long panels, long positions, long tiles, long depth) {
    constexpr long small_windows = 128 * 1024, products = 96 * 1024; // floats
    if (positions * tiles * depth > small_windows)
        return panels;
    return std::max(2L, products / (positions * tiles * panel::columns) / 2 * 2);
}

// Asks for the memory that store_tiles will write of tiles [first, last).
inline void fetch_targets(const tiling& how, const std::vector<strip>& strips, const place& plane,
                          long channel, long first, long last) {
    for (long i = first; i < last; ++i) {
        const strip& part = strips[count(i / how.tile_columns)];
        const long row = how.out_step * how.tile * part.tile_row + plane.row;
        const long column = how.out_step * how.tile * (i % how.tile_columns) + plane.column;
        for (long u = 0; u < how.tile; ++u)
            for (long w = 0; w < how.tile; ++w)
                __builtin_prefetch(
                    part.out.at(row + u * how.out_step, column + w * how.out_step) + channel, 1, 2);
    }
}

// As run_strips, with filters as `products` wants them.
template <class Products>
void run_strips_as(const Products& products, const tiled_filters& filters, const float* storage,
                   std::vector<strip>& strips, long first, long last, const epilogue& end,
                   const std::function<void(long chunk)>& load, fetch_ahead next = {}) {
    static thread_local workspace windows_workspace, products_workspace;
    const tiling& how = filters.how();
    const long tiles = static_cast<long>(strips.size()) * how.tile_columns;
    const long positions = how.positions();
    const long panels = filters.panels();
    const bool at_once = filters.chunks() == 1;
    const long panel_stride = tiles * panel::columns;
    // Products c[position][panel][tile][16], for one phase, or of all until the last chunk.
    const long kept = at_once ? std::min(panels, last - first) : last - first;
    const bool wait = !next.is_empty(); // the output is as far away as the input
    float* results =
        products_workspace.get(count(positions * kept * (panel_stride + position_padding)));
    for (long chunk = 0; chunk < filters.chunks(); ++chunk) {
        load(chunk);
        const long depth = filters.depth(chunk);
        const long window_stride =
            tiles * (depth / panel::depth_block * Products::line) + position_padding;
        float* windows = windows_workspace.get(count(positions * window_stride));
        for (long output = first; output < last;) {
            const long plane = output / panels;
            const long panel = output % panels;
            const long some = std::min(last - output, panels - panel);
            fill_windows_as<Products>(how, strips, how.in_planes[count(plane)],
                                      filters.chunk_begin(chunk), filters.chunk_end(chunk), windows,
                                      window_stride);
            const long lot = at_once ? panels_per_lot(some, positions, tiles, depth) : some;
            for (long j = 0; j < some; j += lot) {
                const long n = std::min(lot, some - j);
                const long product_stride = n * panel_stride + position_padding;
                float* c = results + (at_once ? 0
                                              : positions * (output - first) *
                                                    (panel_stride + position_padding));
                const bool stores = chunk == filters.chunks() - 1;
                for (long p = 0; p < positions; ++p) {
                    next.step(n);
                    for (long k = 0; k < n && stores && wait; ++k)
                        fetch_targets(how, strips, how.out_planes[count(plane)],
                                      (panel + j + k) * panel::columns, p * tiles / positions,
                                      (p + 1) * tiles / positions);
                    products.multiply(tiles, windows + p * window_stride, tiles * Products::line,
                                      depth,
                                      storage + filters.panel_begin(plane, chunk, p, panel + j) /
                                                    panel::depth_block * Products::line,
                                      n, chunk > 0, c + p * product_stride, panel_stride);
                }
                if (stores)
                    for (long k = 0; k < n; ++k)
                        store_tiles<Products>(how, strips, how.out_planes[count(plane)],
                                              (panel + j + k) * panel::columns,
                                              c + k * panel_stride, product_stride, end);
            }
            output += some;
        }
    }
}

} // namespace ffgan::layers
