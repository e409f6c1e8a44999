// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/pixel_product.h"

#include "base/sizes.h"
#include "kernels/gates.h"

#include <algorithm>

namespace ffgan::layers {
namespace {

// Sums of a tile stay in registers, beside a row of the panel and a broadcast.
constexpr long registers_per_row = panel_columns / native_lanes;
constexpr long most_rows = native_lanes == 16       ? 12
                           : native_registers >= 32 ? 6
                                                    : 12 / registers_per_row;
// A panel comes from a farther cache the first time: fetched this many rows ahead.
constexpr long rows_ahead = 16;

constexpr long gate_bytes(long channels) { return channels / 8; }

template <long Rows, class Finish>
[[gnu::noinline]] void tile(const pixel_block& block, long first, long depth, const float* panel,
                            long column, const Finish& finish) {
    float16 sum[Rows] = {};
    const float* in[Rows];
    for (long i = 0; i < Rows; ++i)
        in[i] = block.in + (first + i) * block.in_stride;
    for (long k = 0; k < depth; ++k) {
        __builtin_prefetch(panel + (k + rows_ahead) * panel_columns);
        const float16 right = load_as<float16>(panel + k * panel_columns);
#pragma GCC unroll 12
        for (long i = 0; i < Rows; ++i)
            sum[i] = near_multiply_add(broadcast16(in[i][k]), right, sum[i]);
    }
    // Copies, which no gate that is written can change.
    const Finish own = finish;
    float* out[Rows];
    for (long i = 0; i < Rows; ++i)
        out[i] =
            block.out + column +
            (block.out_at != nullptr ? block.out_at[first + i] : (first + i) * block.out_stride);
    const long gates_stride = block.gates_stride;
    std::uint8_t* gates = block.gates + first * gates_stride + gate_bytes(column);
#pragma GCC unroll 12
    for (long i = 0; i < Rows; ++i)
        own(sum[i], out[i], gates + i * gates_stride);
}

template <class Finish>
void tile_of(long rows, const pixel_block& block, long first, long depth, const float* panel,
             long column, const Finish& finish) {
    const auto with = [&](auto f) { f(block, first, depth, panel, column, finish); };
    switch (rows) {
    case 1:
        return with(tile<1, Finish>);
    case 2:
        return with(tile<2, Finish>);
    case 3:
        return with(tile<3, Finish>);
    case 4:
        return with(tile<4, Finish>);
    case 5:
        return with(tile<5, Finish>);
    case 6:
        return with(tile<6, Finish>);
    }
    if constexpr (most_rows > 6)
        switch (rows) {
        case 7:
            return with(tile<7, Finish>);
        case 8:
            return with(tile<8, Finish>);
        case 9:
            return with(tile<9, Finish>);
        case 10:
            return with(tile<10, Finish>);
        case 11:
            return with(tile<11, Finish>);
        default:
            return with(tile<12, Finish>);
        }
}

// make(column) gives what finishes a panel's sums.
template <class Make>
void each_panel(const pixel_filters& filters, const pixel_block& block, const Make& make) {
    for (long column = 0; column < filters.outputs_written(); column += panel_columns) {
        const auto finish = make(column);
        // Tiles of almost equal height: a last one of one row would leave the pipelines idle.
        for (long tiles = divided_up(block.pixels, most_rows), done = 0; tiles > 0; --tiles) {
            const long rows = divided_up(block.pixels - done, tiles);
            tile_of(rows, block, done, filters.depth(), filters.panel(column), column, finish);
            done += rows;
        }
    }
}

float16 bias_of(const float* bias, long column) {
    return bias != nullptr ? load_as<float16>(bias + column) : broadcast16(0);
}

} // namespace

void multiply_and_clip(const pixel_filters& filters, const float* bias, const pixel_block& block) {
    each_panel(filters, block, [&](long column) {
        const float16 added = bias_of(bias, column), zero = broadcast16(0), six = broadcast16(6);
        return [=](float16 sum, float* out, std::uint8_t* gates) {
            const float16 x = sum + added;
            note_between(x, zero, six, gates);
            store_as<float16>(out, smaller(larger(x, zero), six));
        };
    });
}

void multiply_pixels(const pixel_filters& filters, const float* bias, bool add,
                     const pixel_block& block) {
    each_panel(filters, block, [&](long column) {
        const float16 added = bias_of(bias, column);
        return [=](float16 sum, float* out, std::uint8_t*) {
            const float16 x = sum + added;
            store_as<float16>(out, add ? load_as<float16>(out) + x : x);
        };
    });
}

void multiply_and_gate(const pixel_filters& filters, const pixel_block& block) {
    each_panel(filters, block, [&](long) {
        return [](float16 sum, float* out, std::uint8_t* gates) {
            store_as<float16>(out, where_open(sum, gates));
        };
    });
}

} // namespace ffgan::layers
