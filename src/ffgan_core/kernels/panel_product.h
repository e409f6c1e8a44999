// SPDX-License-Identifier: GPL-3.0-or-later
//
// C = L R where R is a panel of 16 columns, which stays in the L1 cache while the rows of L pass
// by. Row i of C is a function of row i of L, the panel and the depth alone, summed in the order of
// the depth, whatever the number of rows is.

#pragma once

#include "kernels/register_tile.h"

namespace ffgan::panel {

constexpr long columns = tile_columns;

// C (rows x 16, row stride c_stride) = (or += when `add`) L (rows x depth, row stride l_stride)
// times the panel (depth x 16, contiguous).
void multiply(long rows, const float* l, long l_stride, long depth, const float* panel, bool add,
              float* c, long c_stride);

// The same for L given as its transpose: depth x rows, row stride l_stride. Row p of the panel
// starts at panel + p * panel_stride.
void multiply_transposed(long rows, const float* l, long l_stride, long depth, const float* panel,
                         long panel_stride, bool add, float* c, long c_stride);

} // namespace ffgan::panel
