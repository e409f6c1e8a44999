// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions by 1x1 kernels that never change, on pixels whose channels lie side by side. What
// follows a product is done while it is in registers.

#pragma once

#include "plans/pixel_filters.h"

#include <cstdint>

namespace ffgan::layers {

// Pixel i of the input starts at in + i * in_stride; that of the output at out + i * out_stride, or
// at out + out_at[i] where that is given. Its gates (gates.h), a bit for each channel, start at
// gates + i * gates_stride. Pixels of the output, and of the gates, have room for whole panels.
struct pixel_block {
    long pixels;
    const float* in;
    long in_stride;
    float* out;
    long out_stride;
    const long* out_at = nullptr;
    std::uint8_t* gates = nullptr;
    long gates_stride = 0;
};

// out = the product plus bias, clipped to 0..6; gates: where it was not clipped.
void multiply_and_clip(const pixel_filters& filters, const float* bias, const pixel_block& block);

// out = (or += when `add`) the product plus bias, unless that is null.
void multiply_pixels(const pixel_filters& filters, const float* bias, bool add,
                     const pixel_block& block);

// out = the product where its gate is open, and 0.
void multiply_and_gate(const pixel_filters& filters, const pixel_block& block);

} // namespace ffgan::layers
