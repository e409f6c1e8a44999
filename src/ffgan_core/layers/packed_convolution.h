// SPDX-License-Identifier: GPL-3.0-or-later
//
// A convolution whose filters stay: they are packed once, and images pass by with the channels of a
// pixel side by side. What follows the convolution is applied while a result is in registers.

#pragma once

#include "base/precision.h"
#include "base/workspace.h"
#include "kernels/tiled_convolution.h"

#include <vector>

namespace ffgan::layers {

// An image with room around it, as the convolutions that read it want it.
struct padded_image {
    long first_row = 0, first_column = 0; // not positive
    long rows = 0, columns = 0;
    long channels = 0;

    long size() const { return rows * columns * channels; }
    image_view view(float* memory) const {
        return {memory - (first_row * columns + first_column) * channels, columns * channels,
                channels};
    }
    // Enlarges it so that a convolution of this tiling can read it, too.
    void make_room(const tiling& how);
};

class packed_convolution {
  public:
    // filters: (shape.filters, shape.channels, kernel, kernel). bias: per channel, or empty. Then
    // x > 0 ? x : slope * x if it is to `activate`, then times `scale` plus `shift`, per channel,
    // unless they are empty. `products`: the precision of their operands; throws
    // instruction_set_error where the processor has no products of bf16.
    packed_convolution(const tiling& how, const std::vector<float>& filters,
                       const std::vector<float>& bias, bool activate, float slope,
                       const std::vector<float>& scale, const std::vector<float>& shift,
                       precision products = precision::float32);
    packed_convolution(const packed_convolution&) = delete;
    packed_convolution(packed_convolution&&) = default;

    const tiling& how() const { return filters_.how(); }
    // Of a pixel of the output, in whole panels.
    long channels_written() const;

    // Part `part` of `parts` of the work on some images: in[i] to out[i]. Views as run_strips wants
    // them. Any number of threads may call it; an image's result does not depend on the others.
    void run(const std::vector<image_view>& in, const std::vector<image_view>& out, long part = 0,
             long parts = 1) const;

  private:
    tiled_filters filters_;
    precision products_;
    workspace packed_;
    std::vector<float> bias_, scale_, shift_;
    epilogue end_;
};

} // namespace ffgan::layers
