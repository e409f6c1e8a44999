// SPDX-License-Identifier: GPL-3.0-or-later
//
// The three linear maps behind a convolution and a transposed convolution, on plain float arrays.
// With W the filters, "image" the tensor on the fine grid and "map" the one on the coarse grid:
//
//                            forward      gradient of the data    gradient of the filters
//   convolution              correlate    spread                  filter_gradient
//   transposed convolution   spread       correlate               filter_gradient
//
// correlate and spread give each sample the same bytes whatever the batch and the number of
// threads are; filter_gradient is deterministic at a given number of threads.

#pragma once

#include "kernels/layer_values.h"
#include "plans/convolution_shape.h"

namespace ffgan::layers {

// map = (or +=) W correlated with the padded image at the stride, plus bias[filter] unless `bias`
// is null.
void correlate(const convolution_shape& shape, long samples, const layer_values& image,
               const float* filters, const float* bias, const layer_target& map);

// The adjoint of correlate: image = (or +=) each map value times its filter, summed where filters
// overlap, plus bias[channel] unless `bias` is null.
void spread(const convolution_shape& shape, long samples, const layer_values& map,
            const float* filters, const float* bias, const layer_target& image);

// gradient (filters, channels, kernel, kernel) = sum over samples and places of map times the
// image under the filter: the derivative of <map, correlate(image)> by W.
void filter_gradient(const convolution_shape& shape, long samples, const layer_values& image,
                     const layer_values& map, float* gradient);

// gradient[channel] = sum of values (samples, channels, places) over samples and places.
void bias_gradient(long samples, long channels, long places, const float* values, float* gradient);

} // namespace ffgan::layers
