// SPDX-License-Identifier: GPL-3.0-or-later
//
// The convolutions of tiled_convolution.h with products of bf16 (the upper half of a float, 8 bits
// of precision) where the processor multiplies pairs of them: two products where one of floats
// takes as long, and half the memory. Only the operands of products are rounded, to the nearest,
// ties to even: transforms, sums and what lies between layers are floats. An output is one sum, by
// fused multiply-adds, in the order of the depth but for the two values of a pair, whose second
// comes first: so it does not depend on what it is computed together with.
//
// This folder is compiled for that instruction set only (cmake/Kernels.cmake); dispatch/bf16.h
// calls it.

#pragma once

#include "kernels/tiled_convolution.h"

namespace ffgan {

struct bf16_kernels {
    // As pack_filters, into plan.size() / 2 places of a float.
    void (*pack_filters)(const layers::tiled_filters& plan, const float* filters, float* storage);
    // As run_strips, with filters that were packed like that.
    void (*run_strips)(const layers::tiled_filters& filters, const float* storage,
                       std::vector<layers::strip>& strips, long first, long last,
                       const layers::epilogue& end, const std::function<void(long chunk)>& load);
};

} // namespace ffgan
