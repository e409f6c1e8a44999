// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/panel_product.h"

#include "kernels/emulated_product.h"
#include "kernels/register_tile.h"

#include <vector>

namespace ffgan::panel {
namespace {

// A panel comes from the L3 cache the first time: fetched this many rows ahead.
constexpr long rows_ahead = 16;

template <long Height> struct rows_in_sequence {
    static void multiply(const float* l, long l_stride, long depth, const float* panel, long,
                         bool add, float* c, long c_stride) {
        register_tile<Height> tile;
        const float* row[Height];
        for (long i = 0; i < Height; ++i)
            row[i] = l + i * l_stride;
        for (long p = 0; p < depth; ++p) {
            __builtin_prefetch(panel + (p + rows_ahead) * columns);
            tile.add([&](long i) { return row[i][p]; }, panel + p * columns);
        }
        tile.store(add, c, c_stride);
    }
    static const float* rows_from(const float* l, long l_stride, long i) {
        return l + i * l_stride;
    }
};

template <long Height> struct columns_in_sequence {
    static void multiply(const float* l, long l_stride, long depth, const float* panel,
                         long panel_stride, bool add, float* c, long c_stride) {
        register_tile<Height> tile;
        for (long p = 0; p < depth; ++p) {
            tile.add([&](long i) { return l[i]; }, panel);
            l += l_stride;
            panel += panel_stride;
        }
        tile.store(add, c, c_stride);
    }
    static const float* rows_from(const float* l, long, long i) { return l + i; }
};

template <template <long> class Tile>
void multiply_tiles(long rows, const float* l, long l_stride, long depth, const float* panel,
                    long panel_stride, bool add, float* c, long c_stride) {
    // Tiles of almost equal height: a last one of one row would leave the pipelines idle.
    for (long tiles = (rows + tile_rows - 1) / tile_rows, done = 0; tiles > 0; --tiles) {
        const long height = (rows - done + tiles - 1) / tiles;
        const float* first = Tile<1>::rows_from(l, l_stride, done);
        float* target = c + done * c_stride;
        const auto with = [&](auto multiply_tile) {
            multiply_tile(first, l_stride, depth, panel, panel_stride, add, target, c_stride);
        };
        switch (height) {
        case 1:
            with(Tile<1>::multiply);
            break;
        case 2:
            with(Tile<2>::multiply);
            break;
        case 3:
            with(Tile<3>::multiply);
            break;
        case 4:
            with(Tile<4>::multiply);
            break;
        case 5:
            with(Tile<5>::multiply);
            break;
        default:
            with(Tile<6>::multiply);
            break;
        }
        done += height;
    }
}

#ifndef FFGAN_FUSES

// As multiply below.
void multiply_emulated(long rows, const float* l, long l_stride, long depth, const float* panel,
                       bool add, float* c, long c_stride) {
    static thread_local std::vector<double> wide;
    wide.assign(panel, panel + depth * columns);
    const bool usual = emulated::in_range(panel, depth * columns);
    for (long i = 0; i < rows; i += 2) {
        const float* first = l + i * l_stride;
        const bool two = i + 1 < rows;
        const float* second = two ? first + l_stride : first;
        float* target = c + i * c_stride;
        bool done = usual && emulated::in_range(first, depth) && emulated::in_range(second, depth);
        float sums[2][2][8];
        for (long half = 0; half < 2; ++half)
            done =
                done && (two ? emulated::multiply_eight<true>
                             : emulated::multiply_eight<false>)(first, second, depth,
                                                                wide.data() + 8 * half, sums[half]);
        if (!done) {
            multiply_tiles<rows_in_sequence>(two ? 2 : 1, first, l_stride, depth, panel, columns,
                                             add, target, c_stride);
            continue;
        }
        for (long row = 0; row < (two ? 2 : 1); ++row)
            for (long half = 0; half < 2; ++half) {
                float* place = target + row * c_stride + 8 * half;
                const float8 sum = load8(sums[half][row]);
                store8(place, add ? load8(place) + sum : sum);
            }
    }
}

#endif

} // namespace

void multiply(long rows, const float* l, long l_stride, long depth, const float* panel, bool add,
              float* c, long c_stride) {
#ifdef FFGAN_FUSES
    multiply_tiles<rows_in_sequence>(rows, l, l_stride, depth, panel, columns, add, c, c_stride);
#else
    multiply_emulated(rows, l, l_stride, depth, panel, add, c, c_stride);
#endif
}

void multiply_transposed(long rows, const float* l, long l_stride, long depth, const float* panel,
                         long panel_stride, bool add, float* c, long c_stride) {
    multiply_tiles<columns_in_sequence>(rows, l, l_stride, depth, panel, panel_stride, add, c,
                                        c_stride);
}

} // namespace ffgan::panel
