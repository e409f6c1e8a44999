// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions with products of bf16 (bf16/bf16_convolution.h), where the processor has them. They
// give other values than products of floats do, so nothing uses them that was not asked to.

#pragma once

#include "kernels/tiled_convolution.h"

#include <string>

namespace ffgan {

// What they lack here, as the end of a sentence; empty where they can be used: the processor has
// the instructions, and FFGAN_ISA names no lesser set.
std::string missing_for_bf16();

namespace layers {

// As pack_filters, into plan.size() / 2 places, and run_strips. Both throw instruction_set_error
// where they cannot be used.
void pack_filters_in_bf16(const tiled_filters& plan, const float* filters, float* storage);
void run_strips_in_bf16(const tiled_filters& filters, const float* storage,
                        std::vector<strip>& strips, long first, long last, const epilogue& end,
                        const std::function<void(long chunk)>& load);

} // namespace layers
} // namespace ffgan
