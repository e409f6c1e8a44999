// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/packed_product.h"

#include "base/sizes.h"
#include "kernels/register_tile.h"

#include <algorithm>
#include <cstring>

namespace ffgan::packed {
namespace {

// Panels of L taken together, small enough for L2.
constexpr long block_panels = 16;

void multiply_tile(long rows, const float* left, const float* right, bool add, float* c, long ldc,
                   long height, long width) {
    register_tile<panel_rows> tile;
    for (long p = 0; p < rows; ++p) {
        tile.add([&](long i) { return left[i]; }, right);
        left += panel_rows;
        right += panel_columns;
    }
    if (height == panel_rows && width == panel_columns) {
        tile.store(add, c, ldc);
        return;
    }
    float edge[panel_rows][panel_columns];
    tile.store(false, edge[0], panel_columns);
    for (long i = 0; i < height; ++i)
        for (long j = 0; j < width; ++j)
            c[i * ldc + j] = add ? c[i * ldc + j] + edge[i][j] : edge[i][j];
}

} // namespace

long left_size(long m, long depth) { return rounded_up(m, panel_rows) * depth; }

long right_size(long depth, long n) { return depth * rounded_up(n, panel_columns); }

void pack_left(const float* a, long row_stride, long column_stride, long m, long depth, float alpha,
               long first_panel, long last_panel, float* packed) {
    const long padded_m = rounded_up(m, panel_rows);
    for (long p = 0; p < depth; p += block_depth) {
        const long rows = std::min(block_depth, depth - p);
        for (long panel = first_panel; panel < last_panel; ++panel) {
            const long i = panel * panel_rows;
            const long height = std::min(panel_rows, m - i);
            const float* source = a + i * row_stride + p * column_stride;
            float* destination = packed + padded_m * p + i * rows;
            if (height == panel_rows) {
                for (long q = 0; q < rows; ++q)
#pragma GCC unroll 6
                    for (long r = 0; r < panel_rows; ++r)
                        destination[q * panel_rows + r] =
                            alpha * source[q * column_stride + r * row_stride];
            } else {
                for (long q = 0; q < rows; ++q)
                    for (long r = 0; r < panel_rows; ++r)
                        destination[q * panel_rows + r] =
                            r < height ? alpha * source[q * column_stride + r * row_stride] : 0;
            }
        }
    }
}

void pack_right(const float* b, long row_stride, long column_stride, long rows, long n,
                float* packed_block) {
    if (column_stride == 1) {
        for (long p = 0; p < rows; ++p)
            pack_right_row(b + p * row_stride, n, p, rows, packed_block);
        return;
    }
    for (long j = 0; j < n; j += panel_columns) {
        const long width = std::min(panel_columns, n - j);
        const float* source = b + j * column_stride;
        float* destination = packed_block + j * rows;
        for (long p = 0; p < rows; ++p)
            for (long c = 0; c < panel_columns; ++c)
                destination[p * panel_columns + c] =
                    c < width ? source[p * row_stride + c * column_stride] : 0;
    }
}

void pack_right_row(const float* source, long n, long row, long rows, float* packed_block) {
    float* destination = packed_block + row * panel_columns;
    const long stride = rows * panel_columns;
    long j = 0;
    for (; j + panel_columns <= n; j += panel_columns, destination += stride)
        std::memcpy(destination, source + j, panel_columns * sizeof(float));
    if (j < n) {
        std::memset(destination, 0, panel_columns * sizeof(float));
        std::memcpy(destination, source + j, static_cast<std::size_t>(n - j) * sizeof(float));
    }
}

void multiply_block(long m, long n, long rows, long first_panel, long last_panel,
                    const float* left_block, const float* right_block, bool add, float* c,
                    long ldc) {
    for (long panel = first_panel; panel < last_panel; panel += block_panels) {
        const long end = std::min(last_panel, panel + block_panels);
        for (long j = 0; j < n; j += panel_columns)
            for (long i = panel; i < end; ++i)
                multiply_tile(rows, left_block + i * panel_rows * rows, right_block + j * rows, add,
                              c + (i - first_panel) * panel_rows * ldc + j, ldc,
                              std::min(panel_rows, m - i * panel_rows),
                              std::min(panel_columns, n - j));
    }
}

} // namespace ffgan::packed
