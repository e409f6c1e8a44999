// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions of each channel by a kernel of its own, and the clipping around them, of one image
// on the calling thread.

#pragma once

#include "base/sizes.h"
#include "base/workspace.h"

#include <algorithm>
#include <cstdint>

namespace ffgan {

// Planes of side x side from such of in_side x in_side, padded as TensorFlow's "SAME" does: as
// little as it takes, the odd pixel behind.
struct depthwise_shape {
    long kernel, stride, in_side, side, before;

    depthwise_shape(long kernel, long stride, long in_side)
        : kernel(kernel), stride(stride), in_side(in_side), side(divided_up(in_side, stride)),
          before(std::max((side - 1) * stride + kernel - in_side, 0L) / 2) {}
};

// One channel by a kernel of 3 x 3 or 5 x 5 at a stride of 1 or 2. `memory` is resized as needed.
void depthwise_forward(const depthwise_shape& shape, const float* x, const float* kernel,
                       workspace& memory, float* y);
void depthwise_backward(const depthwise_shape& shape, const float* of_y, const float* kernel,
                        workspace& memory, float* of_x);

// Adds the bias of each channel, clips to 0..6, and notes where that is no constant.
void relu6(const float* bias, long channels, long places, float* x, std::uint8_t* passes);
void relu6_back(const std::uint8_t* passes, long size, float* gradient);

} // namespace ffgan
