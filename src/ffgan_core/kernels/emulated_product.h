// SPDX-License-Identifier: GPL-3.0-or-later
//
// The product of panel_product.h where the processor has no fused multiply-add: the same bytes, in
// a sixth of the time that multiply_add takes for each of its sums.
//
// Operands are turned into doubles beforehand, and sums stay doubles, rounded to 24 bits after each
// step by Veltkamp's splitting. That is what a fused multiply-add gives unless a sum was in the
// middle between two floats, which is noticed in its bits, or was subnormal, overflowed or met an
// infinity, none of which happens while operands are 0 or in [2^-51, 2^50]: then all sums are
// multiples of 2^-148. Rows where one of these cannot be excluded are left to the caller.

#pragma once

#include "kernels/vectors.h"

#include <cstdint>
#include <cstring>

namespace ffgan::emulated {

typedef double double2 __attribute__((vector_size(16)));
typedef std::int64_t int64x2 __attribute__((vector_size(16)));

constexpr long columns = 16;

// Whether all values are 0 or in that range.
inline bool in_range(const float* values, long n) {
    int outside = 0;
    for (long i = 0; i < n; ++i) {
        std::int32_t bits;
        std::memcpy(&bits, values + i, sizeof bits);
        bits &= 0x7fffffff;
        outside |= (bits != 0) & ((bits < 0x26000000) | (bits > 0x58800000));
    }
    return outside == 0;
}

// Two rows (one where `second` is null) times eight columns of the panel, which has 16 doubles a
// step. Returns whether no sum was in the middle between two floats.
template <bool Two>
bool multiply_eight(const float* first, const float* second, long depth, const double* panel,
                    float (&sums)[2][8]) {
    constexpr int rows = Two ? 2 : 1;
    double2 sum[rows][4] = {};
    int64x2 middle = {};
    const double splitter = 536870913; // 2^29 + 1
    const int64x2 low_bits = {0x1fffffff, 0x1fffffff}, half = {0x10000000, 0x10000000};
    for (long p = 0; p < depth; ++p, panel += columns) {
        double2 right[4];
        std::memcpy(right, panel, sizeof right);
        for (int row = 0; row < rows; ++row) {
            const double left = row == 0 ? first[p] : second[p];
            for (int k = 0; k < 4; ++k) {
                const double2 s = sum[row][k] + left * right[k];
                const double2 scaled = splitter * s;
                sum[row][k] = (s - scaled) + scaled;
                int64x2 bits;
                std::memcpy(&bits, &s, sizeof bits);
                middle |= (bits & low_bits) == half;
            }
        }
    }
    for (int row = 0; row < rows; ++row)
        for (int k = 0; k < 4; ++k)
            for (int i = 0; i < 2; ++i)
                sums[row][2 * k + i] = static_cast<float>(sum[row][k][i]);
    return (middle[0] | middle[1]) == 0;
}

} // namespace ffgan::emulated
