// SPDX-License-Identifier: GPL-3.0-or-later
//
// Filters of 1x1 kernels that never change, in the form in which pixel_product.h multiplies them.

#pragma once

#include "base/workspace.h"
#include "plans/tiled_filters.h"

namespace ffgan::layers {

// Filters (outputs x depth) as panels of 16 outputs.
class pixel_filters {
  public:
    pixel_filters() = default;
    // Element (output, channel) is filters[output * output_stride + channel * channel_stride].
    pixel_filters(const float* filters, long outputs, long depth, long output_stride,
                  long channel_stride);

    long outputs() const { return outputs_; }
    long depth() const { return depth_; }
    // Of a pixel of the output, in whole panels.
    long outputs_written() const;
    // That of outputs [first, first + 16): depth x 16.
    const float* panel(long first) const { return packed_.data() + first * depth_; }

  private:
    long outputs_ = 0, depth_ = 0;
    workspace packed_;
};

} // namespace ffgan::layers
