// SPDX-License-Identifier: GPL-3.0-or-later
//
// Activations of large tensors, on all threads. A gradient is added to data_gradient when `add`,
// else written; what is read may be what is written.

#pragma once

#include <cstdint>

namespace ffgan::layers {

void leaky_relu_forward(long n, float slope, const float* input, float* output);
void leaky_relu_backward(long n, float slope, const float* output, const float* gradient, bool add,
                         float* data_gradient);
void sigmoid_forward(long n, const float* input, float* output);
void sigmoid_backward(long n, const float* output, const float* gradient, bool add,
                      float* data_gradient);

// factor * kept(leaky ReLU(input)), where kept zeroes the elements whose bit of the mask is 0; all
// are kept where it is null.
void leaky_relu_dropout_forward(long n, float slope, const std::uint64_t* mask, float factor,
                                const float* input, float* output);
void leaky_relu_dropout_backward(long n, float slope, const std::uint64_t* mask, float factor,
                                 const float* output, const float* gradient, bool add,
                                 float* data_gradient);

} // namespace ffgan::layers
