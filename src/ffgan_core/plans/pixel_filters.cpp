// SPDX-License-Identifier: GPL-3.0-or-later
#include "plans/pixel_filters.h"

#include "base/sizes.h"

namespace ffgan::layers {

pixel_filters::pixel_filters(const float* filters, long outputs, long depth, long output_stride,
                             long channel_stride)
    : outputs_(outputs), depth_(depth) {
    float* target = packed_.get(count(outputs_written() * depth));
    for (long panel = 0; panel < outputs_written(); panel += panel_columns)
        for (long k = 0; k < depth; ++k)
            for (long o = panel; o < panel + panel_columns; ++o)
                *target++ = o < outputs ? filters[o * output_stride + k * channel_stride] : 0.0f;
}

long pixel_filters::outputs_written() const { return rounded_up(outputs_, panel_columns); }

} // namespace ffgan::layers
