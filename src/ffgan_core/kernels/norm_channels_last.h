// SPDX-License-Identifier: GPL-3.0-or-later
//
// The passes of norm_kernels.h over values whose channels lie side by side. Forward only statistics
// are taken, since the rest stays pending (layer_values.h). Sums are taken in the order of
// norm_kernels.h, so both give the same bytes, at any number of threads.

#pragma once

#include "kernels/layer_values.h"

namespace ffgan::layers {

// As channel_statistics, of leaky(input), the slope being that before the norm.
void statistics_channels_last(const norm_shape& shape, float slope_before, const float* input,
                              double* means, double* variances);

// As plane_statistics, of leaky(input).
void plane_statistics_channels_last(const norm_shape& shape, float slope_before, const float* input,
                                    double* means, double* squares);

// As normalize_backward, in place.
void norm_gradient_channels_last(const norm_shape& shape, const pending_norm& pending,
                                 bool batch_statistics, const float* input, const float* invstds,
                                 float* gradient, float* gamma_gradient, float* beta_gradient,
                                 const shared_sums* shared = nullptr);

// The gradient of what is pending where that is no norm, in place.
void activation_gradient_channels_last(const norm_shape& shape, const pending_norm& pending,
                                       const float* input, float* gradient);

// As bias_gradient of convolution_kernels.h.
void bias_gradient_channels_last(const norm_shape& shape, const float* values, float* gradient);

// to[sample][place][channel] = from[sample][channel][place], for bits.
void mask_channels_last(const norm_shape& shape, const std::uint64_t* from, std::uint64_t* to);

// The values in dlib's order with nothing pending, and from there.
void to_planes(const norm_shape& shape, const layer_values& from, float* to);
void from_planes(const norm_shape& shape, const float* from, float* to);

} // namespace ffgan::layers
