// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions of each channel by a kernel of its own, on pixels whose channels lie side by side: a
// row of the output from the rows that it reads. Both ways are sums over taps with a stride of 1 or
// 2; the adjoint of a convolution of stride 2 is made by phases.

#pragma once

#include <cstdint>

namespace ffgan::layers {

constexpr long most_taps = 5; // in each dimension

// Taps across are 1 or 2, or 3 or 5, which alone allow a step of 2. Output i of a channel is the
// sum over taps (y, x) of filters[y][x] at that channel, times rows[y] at pixel i * step + x.
// Channels are a multiple of 16.
struct depthwise_row {
    const float* rows[most_taps];
    const float* filters[most_taps][most_taps];
    long taps_down, taps_across;
    long step; // 1 or 2
    long outputs, channels;
    // Output i starts at out + i * out_stride, its gates (gates.h) at gates + i *
    // gates_stride.
    float* out;
    long out_stride;
    std::uint8_t* gates;
    long gates_stride;
};

// Plus bias, clipped to 0..6; gates: where it was not clipped.
void correlate_and_clip(const depthwise_row& row, const float* bias);

// Where its gate is open, and 0.
void correlate_and_gate(const depthwise_row& row);

} // namespace ffgan::layers
