// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/tiled_convolution.h"

#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/channel_order.h"
#include "kernels/panel_product.h"
#include "kernels/pending.h"
#include "kernels/strips.h"

#include <algorithm>
#include <cstring>

namespace ffgan::layers {

// ---- The products -------------------------------------------------------------------------------

void fill_windows(const tiling& how, const std::vector<strip>& strips,
                  const std::vector<place>& planes, long begin, long end, float* v,
                  long position_stride) {
    fill_windows_as<float_products>(how, strips, planes, begin, end, v, position_stride);
}

long products_of(const tiled_filters& filters, long outputs) {
    return filters.chunks() * outputs * filters.how().positions();
}

void run_strips(const tiled_filters& filters, const float* storage, std::vector<strip>& strips,
                long first, long last, const epilogue& end,
                const std::function<void(long chunk)>& load, fetch_ahead next, bool exact) {
    run_strips_as(float_products{exact}, filters, storage, strips, first, last, end, load, next);
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
