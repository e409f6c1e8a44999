// SPDX-License-Identifier: GPL-3.0-or-later
//
// A product's tile of up to 6 x 16 sums, which stay in registers: they are the most that leave room
// for the operands in 16 vector registers of 8 floats.

#pragma once

#include "kernels/float8.h"
#include "plans/tiled_filters.h"

namespace ffgan {

constexpr long tile_rows = 6;
constexpr long tile_columns = layers::panel_columns;

template <long Height> struct register_tile {
    float8 sum[Height][2] = {};

    // Adds the product of a column of Height values, left(i), and a row of 16.
    template <class Left> void add(Left&& left, const float* right) {
        const float8 r0 = load8(right);
        const float8 r1 = load8(right + 8);
#pragma GCC unroll 6
        for (long i = 0; i < Height; ++i) {
            const float8 x = broadcast8(left(i));
            sum[i][0] = multiply_add(x, r0, sum[i][0]);
            sum[i][1] = multiply_add(x, r1, sum[i][1]);
        }
    }

    // c (row stride c_stride) = or += the sums.
    void store(bool add, float* c, long c_stride) const {
#pragma GCC unroll 6
        for (long i = 0; i < Height; ++i) {
            float* row = c + i * c_stride;
            store8(row, add ? load8(row) + sum[i][0] : sum[i][0]);
            store8(row + 8, add ? load8(row + 8) + sum[i][1] : sum[i][1]);
        }
    }
};

} // namespace ffgan
