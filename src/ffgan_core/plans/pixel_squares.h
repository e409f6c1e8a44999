// SPDX-License-Identifier: GPL-3.0-or-later
//
// A transposed convolution of 4x4 taps and stride 2 into few channels as a convolution: each square
// of 2x2 pixels is made from the same 2x2 places of the map, so its pixels are so many channels of
// one convolution of 2x2 taps. Apart, the pixels' few channels would leave panels almost empty.

#pragma once

#include "plans/convolution_shape.h"

#include <vector>

namespace ffgan::layers {

// Whether training makes the image of this shape so.
bool has_pixel_squares(const convolution_shape& s);

// The convolution from the map to the squares, whose channel (2 y + x) * channels + c is pixel
// (2 Y + y - padding, 2 X + x - padding), channel c, of the image.
convolution_shape shape_of_squares(const convolution_shape& s);
std::vector<float> filters_of_squares(const convolution_shape& s, const float* filters);
std::vector<float> bias_of_squares(const convolution_shape& s, const float* bias);

} // namespace ffgan::layers
