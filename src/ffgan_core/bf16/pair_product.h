// SPDX-License-Identifier: GPL-3.0-or-later
//
// C = L R of bf16, summed in floats: kernels/panel_product.h's with two values of the depth in the
// place of one float, so that a block of 16 of the depth is 8 places.

#pragma once

#include "kernels/panel_product.h"

namespace ffgan::bf16 {

constexpr long block_places = panel::depth_block / 2;

// Panel j of C (rows x 16, at c + j * c_stride) = (or += when `add`) L (rows x depth, blocks of
// rows x block_places l_stride apart) times panel j (depth / 2 x 16 pairs, one after the other).
void multiply(long rows, const float* l, long l_stride, long depth, const float* panels,
              long panel_count, bool add, float* c, long c_stride);

} // namespace ffgan::bf16
