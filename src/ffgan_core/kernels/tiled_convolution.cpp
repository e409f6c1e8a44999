// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/tiled_convolution.h"

#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/channel_order.h"
#include "kernels/native.h"
#include "kernels/panel_product.h"
#include "kernels/pending.h"
#include "kernels/tiles.h"

#include <algorithm>
#include <cstring>

namespace ffgan::layers {

// ---- The products -------------------------------------------------------------------------------

namespace {

// What becomes of one tile when windows are not transformed: rows of the image, one after the
// other, in blocks of the depth `block_stride` apart.
void copy_window(const tiling& how, const strip& part, long tile, const place& first, long begin,
                 long end, float* v, long block_stride) {
    const long line = how.window * how.in_channels;
    const auto at = [&](long p) {
        return v + p / panel::depth_block * block_stride + p % panel::depth_block;
    };
    long p = 0;
    for (long a = begin; a < end; ++a) {
        const float* source = part.in.at(how.in_step * part.tile_row + first.row + a,
                                         how.in_step * tile + first.column);
        long done = 0;
        if (p % 8 == 0) // eight never cross the end of a block
            for (; done + 8 <= line; done += 8)
                store8(at(p + done), load8(source + done));
        for (; done < line; ++done)
            *at(p + done) = source[done];
        p += line;
    }
    for (; p % panel::depth_block != 0; ++p)
        *at(p) = 0;
}

} // namespace

void fill_windows(const tiling& how, const std::vector<strip>& strips,
                  const std::vector<place>& planes, long begin, long end, float* v,
                  long position_stride) {
    const long tiles = static_cast<long>(strips.size()) * how.tile_columns;
    const long block_stride = tiles * panel::depth_block;
    if (!how.minimal_filtering) {
        for (const strip& part : strips)
            for (long t = 0; t < how.tile_columns; ++t, v += panel::depth_block)
                copy_window(how, part, t, planes[0], begin, end, v, block_stride);
        return;
    }
    const long units = end - begin;
    const long step = how.in_step * how.tile;
    with_transform(how.tile, how.taps, [&](auto transform) {
        constexpr int N = transform.window;
        for (const place& plane : planes) {
            float* tile = v;
            for (const strip& part : strips) {
                const float* window = part.in.at(step * part.tile_row + plane.row, plane.column);
                const long row_stride = how.window_step * part.in.row_stride;
                const long column_stride = how.window_step * part.in.pixel_stride;
                for (long t = 0; t < how.tile_columns;
                     ++t, tile += panel::depth_block, window += step * part.in.pixel_stride)
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
                        float* target =
                            tile + c / panel::depth_block * block_stride + c % panel::depth_block;
                        transform_square<N, N, native>(
                            [&](const native* x, native* y) { transform.input(x, y); },
                            [&](int j, int l) {
                                return load_native(first + j * from_row + l * from_column);
                            },
                            [&](int j, int l, native u) {
                                store_native(target + (j * N + l) * position_stride, u);
                            });
                    }
            }
            // Registers that no channel is in.
            const long written = rounded_up(units, native_lanes);
            const long padded = rounded_up(units, panel::depth_block);
            for (long c = written; c < padded; c += native_lanes)
                for (long p = 0; p < N * N; ++p)
                    for (long t = 0; t < tiles; ++t)
                        store_native(v + p * position_stride +
                                         c / panel::depth_block * block_stride +
                                         t * panel::depth_block + c % panel::depth_block,
                                     native{});
            v += padded * tiles;
        }
    });
}

namespace {

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
    with_transform(how.tile, how.taps, [&](auto transform) {
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
                            // The product at point 1 in both dimensions is a term of every output:
                            // the bias is added there, once.
                            const native m = load_native(product + (j * N + l) * position_stride);
                            return j == 1 && l == 1 ? m + finished.bias[k] : m;
                        },
                        [&](int u, int w, native y) {
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
long panels_per_lot(long panels, long positions, long tiles, long depth) {
    constexpr long small_windows = 128 * 1024, products = 96 * 1024; // floats
    if (positions * tiles * depth > small_windows)
        return panels;
    return std::max(2L, products / (positions * tiles * panel::columns) / 2 * 2);
}

// Asks for the memory that store_tiles will write of tiles [first, last).
void fetch_targets(const tiling& how, const std::vector<strip>& strips, const place& plane,
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

} // namespace

long products_of(const tiled_filters& filters, long outputs) {
    return filters.chunks() * outputs * filters.how().positions();
}

void run_strips(const tiled_filters& filters, const float* storage, std::vector<strip>& strips,
                long first, long last, const epilogue& end,
                const std::function<void(long chunk)>& load, fetch_ahead next, bool exact) {
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
    float* products =
        products_workspace.get(count(positions * kept * (panel_stride + position_padding)));
    for (long chunk = 0; chunk < filters.chunks(); ++chunk) {
        load(chunk);
        const long depth = filters.depth(chunk);
        const long window_stride = tiles * depth + position_padding;
        float* windows = windows_workspace.get(count(positions * window_stride));
        for (long output = first; output < last;) {
            const long plane = output / panels;
            const long panel = output % panels;
            const long some = std::min(last - output, panels - panel);
            fill_windows(how, strips, how.in_planes[count(plane)], filters.chunk_begin(chunk),
                         filters.chunk_end(chunk), windows, window_stride);
            const long lot = at_once ? panels_per_lot(some, positions, tiles, depth) : some;
            for (long j = 0; j < some; j += lot) {
                const long n = std::min(lot, some - j);
                const long product_stride = n * panel_stride + position_padding;
                float* c = products + (at_once ? 0
                                               : positions * (output - first) *
                                                     (panel_stride + position_padding));
                const bool stores = chunk == filters.chunks() - 1;
                for (long p = 0; p < positions; ++p) {
                    next.step(n);
                    for (long k = 0; k < n && stores && wait; ++k)
                        fetch_targets(how, strips, how.out_planes[count(plane)],
                                      (panel + j + k) * panel::columns, p * tiles / positions,
                                      (p + 1) * tiles / positions);
                    panel::multiply(tiles, windows + p * window_stride, tiles * panel::depth_block,
                                    depth,
                                    storage + filters.panel_begin(plane, chunk, p, panel + j), n,
                                    chunk > 0, c + p * product_stride, panel_stride, exact);
                }
                if (stores)
                    for (long k = 0; k < n; ++k)
                        store_tiles(how, strips, how.out_planes[count(plane)],
                                    (panel + j + k) * panel::columns, c + k * panel_stride,
                                    product_stride, end);
            }
            output += some;
        }
    }
}

// ---- In dlib's order ----------------------------------------------------------------------------

namespace {

// A chunk of the channels is a cache line or two of each pixel, which the processor's own
// prefetching does not follow.
constexpr long pixels_ahead = 16;

} // namespace

void load_pixels(const layer_values& from, long sample, long channels, long plane_size, long first,
                 long n, long begin, long end, float* pixels, long stride) {
    const float* values = from.values + sample * channels * plane_size;
    if (!from.channels_last) {
        planes_to_channels_last(values + begin * plane_size + first, plane_size, end - begin, n,
                                pixels, stride);
    } else if (from.pending == nullptr) {
        const float* source = values + first * channels + begin;
        for (long i = 0; i < n; ++i, source += channels) {
            __builtin_prefetch(source + pixels_ahead * channels);
            for (long c = 0; c < end - begin; c += 8)
                store8(pixels + i * stride + c, load8(source + c));
        }
    } else {
        const long origin = (sample * plane_size + first) * channels;
        with_pending(*from.pending, [&](const auto& of) {
            for (long i = 0; i < n; ++i) {
                __builtin_prefetch(from.values + origin + (i + pixels_ahead) * channels + begin);
                for (long c = begin; c < end; c += 8) {
                    const long index = origin + i * channels + c;
                    store8(pixels + i * stride + c - begin,
                           of(load8(from.values + index), c, index));
                }
            }
        });
    }
    if (stride > end - begin)
        for (long i = 0; i < n; ++i)
            std::fill_n(pixels + i * stride + (end - begin), stride - (end - begin), 0.0f);
}

void load_rows(const tiling& how, const layer_values& in, long sample, long tile_row, long begin,
               long end, float* pixels, long stride) {
    const long first_row = how.first_row(tile_row);
    const long first_column = how.first_column();
    const long columns = how.columns_read();
    const long left = std::min(columns, std::max(0L, -first_column));
    const long inside = std::max(0L, std::min(columns, how.in_columns - first_column) - left);
    for (long r = 0; r < how.rows_read(); ++r, pixels += columns * stride) {
        const long row = first_row + r;
        if (row < 0 || row >= how.in_rows) {
            std::fill_n(pixels, columns * stride, 0.0f);
            continue;
        }
        std::fill_n(pixels, left * stride, 0.0f);
        load_pixels(in, sample, how.in_channels, how.in_rows * how.in_columns,
                    row * how.in_columns + first_column + left, inside, begin, end,
                    pixels + left * stride, stride);
        std::fill_n(pixels + (left + inside) * stride, (columns - left - inside) * stride, 0.0f);
    }
}

namespace {

// Rows of tiles of all samples, in blocks of about block_tiles tiles, as many for each thread.
long strips_per_block(const tiling& how, long samples) {
    const long strips = samples * how.tile_rows;
    const long most = std::max(1L, (block_tiles + how.tile_columns / 2) / how.tile_columns);
    return divided_up(strips, threads() * divided_up(strips, threads() * most));
}

} // namespace

fetch_ahead rows_ahead(const tiling& how, const layer_values& in, long first, long last,
                       long steps) {
    if (!in.channels_last || last <= first)
        return {};
    const long row_size = how.in_columns * how.in_channels;
    const auto row = [&](long strip, long more) {
        const long in_sample =
            std::clamp(how.first_row(strip % how.tile_rows) + more, 0L, how.in_rows);
        return in.values + (strip / how.tile_rows * how.in_rows + in_sample) * row_size;
    };
    return {row(first, 0), row(last - 1, how.rows_read()), steps};
}

void convolve(const tiling& how, long samples, const layer_values& in, const float* filters,
              const float* bias, const layer_target& out, const convolution_shape* squares) {
    static thread_local workspace filters_workspace, bias_workspace;
    const tiled_filters packed(how);
    float* storage = filters_workspace.get(count(packed.size()));
    pack_filters(packed, filters, storage);
    epilogue end;
    if (bias != nullptr) {
        float* padded = bias_workspace.get(count(packed.panels() * panel::columns));
        std::fill_n(padded, packed.panels() * panel::columns, 0.0f);
        std::copy_n(bias, how.out_channels, padded);
        end.bias = padded;
    }
    const long out_plane = how.out_rows * how.out_columns;
    const long out_size = how.out_channels * out_plane;
    const long strips = samples * how.tile_rows;
    const long per_block = strips_per_block(how, samples);
    const long outputs = static_cast<long>(how.out_planes.size()) * packed.panels();
    const long out_pixel = out.channels_last ? how.out_channels : packed.panels() * panel::columns;
    const long rows_written = how.tile * how.out_step;
    const long columns = how.columns_read();

    parallel_chunks(divided_up(strips, per_block), [&](long, long begin, long end_block) {
        static thread_local workspace in_workspace, out_workspace;
        std::vector<strip> parts;
        for (long block = begin; block < end_block; ++block) {
            const long first = block * per_block;
            const long last = std::min(strips, first + per_block);
            parts.resize(count(last - first));
            const long out_rows_size = rows_written * how.out_columns * out_pixel;
            float* results = out.channels_last
                                 ? nullptr
                                 : out_workspace.get(count((last - first) * out_rows_size));
            const auto load = [&](long chunk) {
                if (!how.minimal_filtering && chunk > 0)
                    return;
                const long channel = how.minimal_filtering ? packed.chunk_begin(chunk) : 0;
                const long channel_end =
                    how.minimal_filtering ? packed.chunk_end(chunk) : how.in_channels;
                const long stride = how.minimal_filtering
                                        ? rounded_up(channel_end - channel, panel::depth_block)
                                        : how.in_channels;
                const long rows_size = how.rows_read() * columns * stride;
                float* pixels = in_workspace.get(count((last - first) * rows_size));
                for (long i = 0; i < last - first; ++i, pixels += rows_size) {
                    strip& part = parts[count(i)];
                    part.tile_row = (first + i) % how.tile_rows;
                    const long sample = (first + i) / how.tile_rows;
                    load_rows(how, in, sample, part.tile_row, channel, channel_end, pixels, stride);
                    part.in = {pixels - how.first_row(part.tile_row) * columns * stride -
                                   how.first_column() * stride,
                               columns * stride, stride};
                    float* origin = out.channels_last ? out.values + sample * out_size
                                                      : results + i * out_rows_size -
                                                            part.tile_row * rows_written *
                                                                how.out_columns * out_pixel;
                    part.out = {origin, how.out_columns * out_pixel, out_pixel};
                }
            };
            run_strips(packed, storage, parts, 0, outputs, end, load,
                       block + 1 < end_block
                           ? rows_ahead(how, in, last, std::min(strips, last + per_block),
                                        products_of(packed, outputs))
                           : fetch_ahead(),
                       false);
            if (out.channels_last)
                continue;
            for (long i = 0; i < last - first; ++i) {
                const float* result = results + i * out_rows_size;
                const long sample = (first + i) / how.tile_rows;
                const long row = parts[count(i)].tile_row * rows_written;
                const long rows = std::min(rows_written, how.out_rows - row);
                if (squares != nullptr)
                    squares_to_planes(*squares, result, out_pixel, row, row + rows, out.add,
                                      out.values + sample * squares->channels * squares->rows *
                                                       squares->columns);
                else
                    channels_last_to_planes(
                        result, out_pixel, how.out_channels, rows * how.out_columns, out.add,
                        out.values + sample * out_size + row * how.out_columns, out_plane);
            }
        }
    });
}

} // namespace ffgan::layers
