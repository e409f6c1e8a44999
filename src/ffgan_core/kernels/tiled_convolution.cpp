// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/tiled_convolution.h"

#include "base/float8.h"
#include "kernels/channel_order.h"
#include "kernels/minimal_filtering.h"
#include "kernels/panel_product.h"
#include "base/threads.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace ffgan::layers {
namespace {

// Tiles multiplied together: enough that streaming the filters past them costs little.
constexpr long block_tiles = 48;
// Floats of the transformed input of a block, for L2 next to the panels of the filters.
constexpr long block_floats = 64 * 1024;
// Rows of a chunk of the filters' gradient: enough that transforming the map for each costs little.
constexpr long gradient_depth = 128;
// Keeps the positions of a tile, which are written together, out of one set of the L1 cache.
constexpr long position_padding = 16;
constexpr int most_positions = 36;

std::size_t count(long n) { return static_cast<std::size_t>(n); }
long divided_up(long a, long b) { return (a + b - 1) / b; }
long rounded_up(long a, long b) { return divided_up(a, b) * b; }

/// What a tile size costs in an output phase of rows x columns: multiplications per pair of
/// channels, a filter's way from memory counted as that of a few tiles.
long cost_of(long rows, long columns, long tile, long window) {
    constexpr long reading = 8;
    return (divided_up(rows, tile) * divided_up(columns, tile) + reading) * window * window;
}

/// Calls f(minimal_filtering<tile, taps>()).
template <class F> void with_transform(long tile, long taps, const F& f) {
    if (tile == 2 && taps == 2)
        f(minimal_filtering<2, 2>());
    else if (tile == 3 && taps == 2)
        f(minimal_filtering<3, 2>());
    else if (tile == 4 && taps == 2)
        f(minimal_filtering<4, 2>());
    else if (tile == 2 && taps == 3)
        f(minimal_filtering<2, 3>());
    else
        f(minimal_filtering<4, 3>());
}

} // namespace

// ---- The plan -----------------------------------------------------------------------------------

tiling::tiling(const convolution_shape& s, direction d) : way(d), shape(s) {
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
    if ((phase_taps == 2 || phase_taps == 3) && s.kernel % stride == 0 && in_channels >= 16 &&
        out_channels >= 16) {
        long best = cost_of(phase_rows, phase_columns, 1, phase_taps);
        for (const long candidate : {2L, 3L, 4L}) {
            if (phase_taps == 3 && candidate == 3)
                continue; // no transform for it
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

// ---- The filters --------------------------------------------------------------------------------

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

// ---- The products -------------------------------------------------------------------------------

namespace {

/// The transformed windows of the strips' tiles in the given phases of the input, of channels
/// [begin, end) (without minimal filtering: of rows [begin, end) of the window):
/// v[position][tile][depth].
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

/// The epilogue of one panel of channels.
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
            x = x > float8{} ? x : lower;
        }
        return scaled_ ? x * scale_[half] + shift_[half] : x;
    }

  private:
    bool activate_, scaled_;
    float8 slope_, bias_[2], scale_[2], shift_[2];
};

/// Writes one panel of output channels of the strips' tiles from the products
/// c[position][tile][16].
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

namespace {

/// Copies the rows that a strip reads, of channels [begin, end), into `pixels`, whose pixels have
/// `stride` floats: zeros where the image ends.
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

/// Rows of tiles of all samples, in blocks of about block_tiles tiles, as many for each thread.
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
    packed.pack(filters, storage);
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

// ---- The gradient of the filters ----------------------------------------------------------------

namespace {

/// One strip's part of the map in the transformed domain, adjoint to store_tiles:
/// d[position][panel][tile][16] from tile `first_tile` of `tiles` on. pixels: the strip's rows of
/// the map, channels last, with zeros where the map ends.
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

/// Copies rows [row, row + rows) of the map into `pixels` of `stride` floats, `columns` per row.
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

/// The sum of a chunk of the depth, [begin, end) as in fill_windows, over strips
/// [first_strip, last_strip): sum[position][panel][depth][16].
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
    const long pixel = how.minimal_filtering ? rounded_up(units, 8) : s.channels;
    const long depth = how.minimal_filtering
                           ? rounded_up(units, 8) * static_cast<long>(planes.size())
                           : units * how.window * s.channels;
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
            for (long j = 0; j < panels; ++j) {
                const float* right = how.minimal_filtering ? gradients + p * gradient_stride +
                                                                 j * tiles * panel::columns
                                                           : gradients + j * panel::columns;
                panel::multiply_transposed(
                    depth, windows + p * window_stride, depth, tiles, right,
                    how.minimal_filtering ? panel::columns : map_pixel, first > first_strip,
                    sum + (p * panels + j) * depth * panel::columns, panel::columns);
            }
    }
}

/// Puts the sum of a chunk where its taps are in (filters, channels, kernel, kernel).
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
        for (long j = 0; j < panels; ++j)
            for (long row = begin; row < end; ++row)
                for (long column = 0; column < s.kernel; ++column)
                    for (long c = 0; c < s.channels; ++c, sum += panel::columns)
                        store(j, c, row, column, sum);
        return;
    }
    const long units = rounded_up(end - begin, 8);
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
    const tiling how(s, tiling::direction::correlate);
    const long strips = samples * how.tile_rows;
    const long panels = divided_up(s.filters, panel::columns);
    const long units = how.minimal_filtering ? s.channels : how.window;
    const long per_unit = how.minimal_filtering ? static_cast<long>(how.in_planes[0].size())
                                                : how.window * s.channels;
    // Chunks of the depth are summed independently; where there are too few of them for the
    // threads, so are parts of the strips.
    const long most = how.minimal_filtering ? gradient_depth / per_unit
                                            : std::max(1L, block_floats / block_tiles / per_unit);
    long chunk_size = divided_up(units, divided_up(units, most));
    if (how.minimal_filtering)
        chunk_size = rounded_up(chunk_size, 8);
    const long chunks = divided_up(units, chunk_size);
    const long parts = std::min(divided_up(threads(), chunks), strips);
    const long sum_size = how.positions() * panels * panel::columns * per_unit *
                          (how.minimal_filtering ? rounded_up(chunk_size, 8) : chunk_size);
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
