// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between dlib's order of a tensor, one plane per channel, and pixels with their channels side by
// side, which is the order that products over channels want.

#pragma once

namespace ffgan::layers {

// pixels[i * pixel_stride + c] = planes[c * plane_stride + i] for i < n, c < channels.
void planes_to_channels_last(const float* planes, long plane_stride, long channels, long n,
                             float* pixels, long pixel_stride);

// planes[c * plane_stride + i] = or += pixels[i * pixel_stride + c].
void channels_last_to_planes(const float* pixels, long pixel_stride, long channels, long n,
                             bool add, float* planes, long plane_stride);

} // namespace ffgan::layers
