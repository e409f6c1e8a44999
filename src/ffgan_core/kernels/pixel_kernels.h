// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between the networks' numbers and pixels of 8 bits, on the calling thread.

#pragma once

#include <cstdint>

namespace ffgan {

// The sigmoid of each of n values, in place.
void sigmoid_values(long n, float* values);

// The exponentials of n values less the largest one, divided by their sum.
void softmax(long n, const float* values, float* probabilities);

// From [0, 1] to the nearest of 0 .. 255.
void unit_to_pixels(long n, const float* values, std::uint8_t* pixels);

void pixels_to_floats(long n, const std::uint8_t* pixels, float scale, float* values);

} // namespace ffgan
