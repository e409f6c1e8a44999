// SPDX-License-Identifier: GPL-3.0-or-later
//
// C = L R where R is made of panels of 16 columns, and L of blocks of 16 columns whose rows lie
// next to each other: [column / 16][row][16]. An element of C is one sum in the order of the depth,
// by fused multiply-add, which starts from what was there when it is to `add`: it depends neither
// on the other rows and panels nor on how many of them are computed together, which is what the
// instruction set decides.

#pragma once

#include "plans/tiled_filters.h"

namespace ffgan::panel {

constexpr long columns = layers::panel_columns;
constexpr long depth_block = layers::depth_block;

// Panel j of C (rows x 16, at c + j * c_stride) = (or += when `add`) L (rows x depth, blocks
// l_stride apart, depth a multiple of 16) times panel j (depth x 16, one after the other).
// Unless `exact`, for training: every 64 products are summed by themselves and these sums then
// added up, which rounds half as much, and where the processor does not fuse them it multiplies and
// adds one after the other.
void multiply(long rows, const float* l, long l_stride, long depth, const float* panels,
              long panel_count, bool add, float* c, long c_stride, bool exact = true);

// The same, never exact, with the transpose of L: C has `depth` rows, a multiple of 16, and sums
// over the rows of L, those of a call by themselves. Row r of panel j is at
// panels + j * panel_stride + r * row_stride.
void multiply_transposed(long depth, const float* l, long l_stride, long rows, const float* panels,
                         long row_stride, long panel_stride, long panel_count, bool add, float* c,
                         long c_stride);

} // namespace ffgan::panel
