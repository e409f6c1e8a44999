// SPDX-License-Identifier: GPL-3.0-or-later
//
// What lies between convolutions, on pixels whose channels lie side by side, 16 or a multiple of
// that. Gates are a bit for each value, as in gates.h.

#pragma once

#include <cstdint>

namespace ffgan::layers {

// gates: where x > 0.
void note_positive(const float* x, long size, std::uint8_t* gates);
// x = relu(x + branch); gates: where that is > 0.
void add_and_clip(const float* branch, long size, float* x, std::uint8_t* gates);
// x = x where its gate is open, and 0.
void close_gates(const std::uint8_t* gates, long size, float* x);
// x += factor * branch.
void add_channels(const float* branch, float factor, long size, float* x);

// relu of the largest of the 3 x 3 pixels from each second pixel of the rows on, and where it is: 3
// * row + column, or no_place where it is not > 0.
constexpr std::uint8_t no_place = 9;
void pool_largest(const float* const* rows, long outputs, long channels, float* out,
                  std::uint8_t* places);
// Its adjoint: adds to the rows.
void pool_largest_adjoint(const float* of_out, const std::uint8_t* places, long outputs,
                          long channels, float* const* of_rows);

} // namespace ffgan::layers
