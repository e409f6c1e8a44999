// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between dlib's order of a tensor, one plane per channel, and pixels with their channels side by
// side, which is the order that products over channels want.

#pragma once

#include "plans/convolution_shape.h"

namespace ffgan::layers {

// pixels[i * pixel_stride + c] = planes[c * plane_stride + i] for i < n, c < channels.
void planes_to_channels_last(const float* planes, long plane_stride, long channels, long n,
                             float* pixels, long pixel_stride);

// planes[c * plane_stride + i] = or += pixels[i * pixel_stride + c].
void channels_last_to_planes(const float* pixels, long pixel_stride, long channels, long n,
                             bool add, float* planes, long plane_stride);

// Writes rows [first, last) of the squares of plans/pixel_squares.h, of `stride` floats each, into
// a sample's image in planes.
void squares_to_planes(const convolution_shape& s, const float* squares, long stride, long first,
                       long last, bool add, float* image);

} // namespace ffgan::layers
