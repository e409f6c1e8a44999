// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/tiled_convolution.h"

#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/channel_order.h"
#include "kernels/float8.h"
#include "kernels/panel_product.h"
#include "kernels/tiles.h"

#include <algorithm>
#include <cstring>

namespace ffgan::layers {

// ---- The products -------------------------------------------------------------------------------

void fill_windows(const tiling& how, const std::vector<strip>& strips,
                  const std::vector<place>& planes, long begin, long end, float* v,
                  long position_stride) {
    const long units = end - begin;
    if (!how.minimal_filtering) {
        const std::size_t line = count(how.window * how.in_channels);
        for (const strip& part : strips)
            for (long t = 0; t < how.tile_columns; ++t)
                for (long a = 0; a < units; ++a, v += line)
                    std::memcpy(v,
                                part.in.at(how.in_step * part.tile_row + planes[0].row + begin + a,
                                           how.in_step * t + planes[0].column),
                                line * sizeof(float));
        return;
    }
    const long padded_units = rounded_up(units, 8);
    const long step = how.in_step * how.tile;
    with_transform(how.tile, how.taps, [&](auto transform) {
        constexpr int N = transform.window;
        for (const strip& part : strips)
            for (long t = 0; t < how.tile_columns; ++t) {
                for (const place& plane : planes) {
                    const float* first =
                        part.in.at(step * part.tile_row + plane.row, step * t + plane.column);
                    const long row_stride = how.window_step * part.in.row_stride;
                    const long column_stride = how.window_step * part.in.pixel_stride;
                    for (long c = 0; c < padded_units; c += 8, v += 8) {
                        float8 d[N * N], u[N * N];
#pragma GCC unroll 6
                        for (int j = 0; j < N; ++j)
#pragma GCC unroll 6
                            for (int l = 0; l < N; ++l)
                                d[j * N + l] =
                                    load8(first + j * row_stride + l * column_stride + c);
                        in_two_dimensions<N, N>(
                            d, u, [&](const float8* x, float8* y) { transform.input(x, y); });
#pragma GCC unroll 36
                        for (int p = 0; p < N * N; ++p)
                            store8(v + p * position_stride, u[p]);
                    }
                }
            }
    });
}

namespace {

// The epilogue of one panel of channels.
class finish {
  public:
    finish(const epilogue& end, long channel)
        : activate_(end.activate), scaled_(end.scale != nullptr), slope_(broadcast8(end.slope)) {
        for (long half = 0; half < 2; ++half) {
            const long first = channel + 8 * half;
            bias_[half] = end.bias ? load8(end.bias + first) : float8{};
            if (scaled_) {
                scale_[half] = load8(end.scale + first);
                shift_[half] = load8(end.shift + first);
            }
        }
    }

    float8 operator()(float8 x, long half) const {
        x += bias_[half];
        if (activate_) {
            const float8 lower = x * slope_;
            x = select(x > float8{}, x, lower);
        }
        return scaled_ ? multiply_add(x, scale_[half], shift_[half]) : x;
    }

  private:
    bool activate_, scaled_;
    float8 slope_, bias_[2], scale_[2], shift_[2];
};

// Writes one panel of output channels of the strips' tiles from the products
// c[position][tile][16].
void store_tiles(const tiling& how, const std::vector<strip>& strips, const place& plane,
                 long channel, const float* c, long position_stride, const epilogue& end) {
    const finish finished(end, channel);
    const long channels = std::min(panel::columns, how.out_channels - channel);
    const bool whole = strips.empty() || strips[0].out.pixel_stride >= channel + panel::columns;
    const auto store = [&](const strip& part, long row, long column, long half, float8 value) {
        float* target = part.out.at(row, column) + channel + 8 * half;
        value = finished(value, half);
        if (whole)
            store8(target, value);
        else if (channels > 8 * half)
            std::memcpy(target, &value, count(std::min(8L, channels - 8 * half)) * sizeof(float));
    };
    if (!how.minimal_filtering) {
        for (const strip& part : strips) {
            const long row = how.out_step * part.tile_row + plane.row;
            for (long t = 0; t < how.tile_columns; ++t, c += panel::columns) {
                const long column = how.out_step * t + plane.column;
                if (row < how.out_rows && column < how.out_columns)
                    for (long half = 0; half < 2; ++half)
                        store(part, row, column, half, load8(c + 8 * half));
            }
        }
        return;
    }
    with_transform(how.tile, how.taps, [&](auto transform) {
        constexpr int M = transform.tile;
        constexpr int N = transform.window;
        for (const strip& part : strips) {
            const long row = how.out_step * M * part.tile_row + plane.row;
            for (long t = 0; t < how.tile_columns; ++t, c += panel::columns) {
                const long column = how.out_step * M * t + plane.column;
                for (long half = 0; half < 2; ++half) {
                    float8 m[N * N], y[M * M];
#pragma GCC unroll 36
                    for (int p = 0; p < N * N; ++p)
                        m[p] = load8(c + p * position_stride + 8 * half);
                    in_two_dimensions<N, M>(
                        m, y, [&](const float8* x, float8* z) { transform.output(x, z); });
                    for (int u = 0; u < M; ++u)
                        for (int w = 0; w < M; ++w)
                            if (row + u * how.out_step < how.out_rows &&
                                column + w * how.out_step < how.out_columns)
                                store(part, row + u * how.out_step, column + w * how.out_step, half,
                                      y[u * M + w]);
                }
            }
        }
    });
}

} // namespace

void run_strips(const tiled_filters& filters, const float* storage, std::vector<strip>& strips,
                long first, long last, const epilogue& end,
                const std::function<void(long chunk)>& load) {
    static thread_local workspace windows_workspace, products_workspace;
    const tiling& how = filters.how();
    const long tiles = static_cast<long>(strips.size()) * how.tile_columns;
    const long positions = how.positions();
    const long product_stride = tiles * panel::columns + position_padding;
    const bool at_once = filters.chunks() == 1;
    float* products =
        products_workspace.get(count((at_once ? 1 : last - first) * positions * product_stride));
    for (long chunk = 0; chunk < filters.chunks(); ++chunk) {
        load(chunk);
        const long depth = filters.depth(chunk);
        const long window_stride = tiles * depth + position_padding;
        float* windows = windows_workspace.get(count(positions * window_stride));
        long filled = -1;
        for (long output = first; output < last; ++output) {
            const long plane = output / filters.panels();
            const long channels = output % filters.panels();
            if (plane != filled) {
                fill_windows(how, strips, how.in_planes[count(plane)], filters.chunk_begin(chunk),
                             filters.chunk_end(chunk), windows, window_stride);
                filled = plane;
            }
            const float* panel = filters.panel(storage, plane, chunk, channels);
            float* c = products + (at_once ? 0 : output - first) * positions * product_stride;
            for (long p = 0; p < positions; ++p)
                panel::multiply(tiles, windows + p * window_stride, depth, depth,
                                panel + p * depth * panel::columns, chunk > 0,
                                c + p * product_stride, panel::columns);
            if (chunk == filters.chunks() - 1)
                store_tiles(how, strips, how.out_planes[count(plane)], channels * panel::columns, c,
                            product_stride, end);
        }
    }
}

// ---- In dlib's order ----------------------------------------------------------------------------

void load_rows(const tiling& how, const float* planes, long tile_row, long begin, long end,
               float* pixels, long stride) {
    const long first_row = how.first_row(tile_row);
    const long first_column = how.first_column();
    const long columns = how.columns_read();
    const long left = std::min(columns, std::max(0L, -first_column));
    const long inside = std::max(0L, std::min(columns, how.in_columns - first_column) - left);
    const long plane_size = how.in_rows * how.in_columns;
    for (long r = 0; r < how.rows_read(); ++r, pixels += columns * stride) {
        const long row = first_row + r;
        if (row < 0 || row >= how.in_rows) {
            std::fill_n(pixels, columns * stride, 0.0f);
            continue;
        }
        std::fill_n(pixels, left * stride, 0.0f);
        planes_to_channels_last(planes + begin * plane_size + row * how.in_columns + first_column +
                                    left,
                                plane_size, end - begin, inside, pixels + left * stride, stride);
        std::fill_n(pixels + (left + inside) * stride, (columns - left - inside) * stride, 0.0f);
        if (stride > end - begin)
            for (long i = left; i < left + inside; ++i)
                std::fill_n(pixels + i * stride + (end - begin), stride - (end - begin), 0.0f);
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

void convolve(const tiling& how, long samples, const float* in, const float* filters,
              const float* bias, bool add, float* out) {
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
    const long in_size = how.in_channels * how.in_rows * how.in_columns;
    const long out_plane = how.out_rows * how.out_columns;
    const long out_size = how.out_channels * out_plane;
    const long strips = samples * how.tile_rows;
    const long per_block = strips_per_block(how, samples);
    const long outputs = static_cast<long>(how.out_planes.size()) * packed.panels();
    const long out_pixel = packed.panels() * panel::columns;
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
            float* results = out_workspace.get(count((last - first) * out_rows_size));
            const auto load = [&](long chunk) {
                if (!how.minimal_filtering && chunk > 0)
                    return;
                const long channel = how.minimal_filtering ? packed.chunk_begin(chunk) : 0;
                const long channel_end =
                    how.minimal_filtering ? packed.chunk_end(chunk) : how.in_channels;
                const long stride =
                    how.minimal_filtering ? rounded_up(channel_end - channel, 8) : how.in_channels;
                const long rows_size = how.rows_read() * columns * stride;
                float* pixels = in_workspace.get(count((last - first) * rows_size));
                for (long i = 0; i < last - first; ++i, pixels += rows_size) {
                    strip& part = parts[count(i)];
                    part.tile_row = (first + i) % how.tile_rows;
                    load_rows(how, in + (first + i) / how.tile_rows * in_size, part.tile_row,
                              channel, channel_end, pixels, stride);
                    part.in = {pixels - how.first_row(part.tile_row) * columns * stride -
                                   how.first_column() * stride,
                               columns * stride, stride};
                    part.out = {results + i * out_rows_size -
                                    part.tile_row * rows_written * how.out_columns * out_pixel,
                                how.out_columns * out_pixel, out_pixel};
                }
            };
            run_strips(packed, storage, parts, 0, outputs, end, load);
            for (long i = 0; i < last - first; ++i) {
                const long row = parts[count(i)].tile_row * rows_written;
                const long rows = std::min(rows_written, how.out_rows - row);
                channels_last_to_planes(results + i * out_rows_size, out_pixel, how.out_channels,
                                        rows * how.out_columns, add,
                                        out + (first + i) / how.tile_rows * out_size +
                                            row * how.out_columns,
                                        out_plane);
            }
        }
    });
}

} // namespace ffgan::layers
