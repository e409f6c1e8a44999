// SPDX-License-Identifier: GPL-3.0-or-later
//
// Matrix product C = L R on operands packed beforehand. A BLAS packs both operands anew at every
// call; a convolution multiplies the same filters with every image, and can write its unfolded
// image straight into the packed form. Element (i, j) of C is a function of row i of L, column j
// of R and the depth alone, whatever the sizes and the element's position are, so an image's
// result does not depend on the batch it is in nor on the number of threads.

#pragma once

#include "kernels/register_tile.h"

namespace ffgan::packed {

constexpr long panel_rows = tile_rows;
constexpr long panel_columns = tile_columns;
// The depth is cut into blocks of this size, so that one panel of each operand stays in L1.
constexpr long block_depth = 256;

// L (m x depth): for each block of depth, for each panel of rows, rows interleaved. Floats needed.
long left_size(long m, long depth);

// R (depth x n): for each block of depth, for each panel of columns. Floats needed.
long right_size(long depth, long n);

// Packs panels [first_panel, last_panel) of the m x depth matrix whose element (i, p) is
// a[i * row_stride + p * column_stride], times alpha, into `packed`.
void pack_left(const float* a, long row_stride, long column_stride, long m, long depth, float alpha,
               long first_panel, long last_panel, float* packed);

// Packs rows [first, first + rows) of the matrix whose element (p, j) is
// b[p * row_stride + j * column_stride]; rows must lie in one block of depth.
void pack_right(const float* b, long row_stride, long column_stride, long rows, long n,
                float* packed_block);

// Writes one row of n floats as row `row` of a block of depth `rows`.
void pack_right_row(const float* source, long n, long row, long rows, float* packed_block);

// C (rows [6 * first_panel, min(m, 6 * last_panel)) of it, starting at c, row stride ldc) = or +=
// L R for one block of depth. `left_block` is the block's first panel, `right_block` its first.
void multiply_block(long m, long n, long rows, long first_panel, long last_panel,
                    const float* left_block, const float* right_block, bool add, float* c,
                    long ldc);

} // namespace ffgan::packed
