// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between pictures as the world keeps them (8-bit, channels interleaved) and as the networks want
// them (floats, one plane per channel).

#pragma once

#include <dlib/cuda/tensor.h>

#include <cstdint>

namespace ffgan {

// n x 3 x 162 x 162 in [0, 1] -> n x 162 x 162 x 3, rounded to the nearest.
void sigmoid_to_pixels(const dlib::tensor& images, std::uint8_t* pixels);

// count x 162 x 162 x 3 -> count x 3 x 162 x 162, times `scale`.
void pixels_to_planes(const std::uint8_t* pixels, long count, float scale,
                      dlib::resizable_tensor& planes);
// The same into memory that has room for them.
void pixels_to_planes(const std::uint8_t* pixels, long count, float scale, float* planes);

} // namespace ffgan
