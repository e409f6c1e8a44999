// SPDX-License-Identifier: GPL-3.0-or-later
//
// The block of which EfficientNet-Lite is made (Sandler et al. 2018): a convolution by 1x1 kernels
// to many channels, one of each channel by a kernel of its own, and one by 1x1 kernels back to few.
// What lies between them is several times as large as what goes in and out, so it is made and used
// a few rows at a time, within the L2 cache.

#pragma once

#include "base/workspace.h"
#include "kernels/depthwise.h"
#include "kernels/pixel_product.h"
#include "pretrained/given_convolution.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace ffgan {

// Planes of side x side from such of in_side x in_side, padded as TensorFlow's "SAME" does: as
// little as it takes, the odd pixel behind.
struct window {
    long kernel, stride, in_side, side, before;

    window(long kernel, long stride, long in_side);
    long in_places() const { return in_side * in_side; }
    long places() const { return side * side; }
};

class inverted_residual {
  public:
    // expand: (.., inputs, 1, 1); depthwise: (.., 1, kernel, kernel); project likewise.
    // residual: its output is added to its input.
    inverted_residual(const window& shape, long inputs, const given_convolution& expand,
                      const given_convolution& depthwise, const given_convolution& project,
                      bool residual);

    const window& shape() const { return shape_; }
    long inputs() const { return inputs_; }
    long outputs() const { return project_.outputs(); }
    bool is_residual() const { return residual_; }
    // Bytes of an image that backward needs of forward: where its ReLUs pass a gradient on, after
    // the expansion and after the convolution in the middle.
    long expanded_gates() const { return shape_.in_places() * channels_ / 8; }
    long middle_gates() const { return shape_.places() * channels_ / 8; }
    struct gates {
        std::uint8_t *expanded, *middle;
    };
    struct memory {
        workspace expanded, middle, zeros;
        std::vector<long> places;
    };

    // Of one image. read(first, last) gives rows [first, last) of the input, `in_stride` floats a
    // pixel. out: a pixel's channels are padded to 16; it may be the input where that is added.
    using reader = std::function<const float*(long first, long last)>;
    void forward(const reader& read, long in_stride, const gates& open, float* out,
                 memory& scratch) const;

    // of_out: as `out`. write(first, last, values) gets the gradient with respect to rows [first,
    // last) of the expansion's output, in order.
    using writer = std::function<void(long first, long last, const float* values)>;
    void backward(const float* of_out, const gates& open, const writer& write,
                  memory& scratch) const;

    // What a gradient with respect to the expansion's output is multiplied by.
    const layers::pixel_filters& expansion_adjoint() const { return expand_adjoint_; }
    long channels() const { return channels_; }

  private:
    const float* filter(long row, long column) const {
        return filters_.data() + (row * shape_.kernel + column) * channels_;
    }
    layers::depthwise_row middle_row(const float* const* rows, float* out,
                                     std::uint8_t* open) const;
    layers::depthwise_row adjoint_row(const float* const* rows, long border, long down, long phase,
                                      float* out, std::uint8_t* open) const;

    const window shape_;
    const long inputs_, channels_; // channels in whole panels
    const bool residual_;
    layers::pixel_filters expand_, expand_adjoint_, project_, project_adjoint_;
    std::vector<float> expand_bias_, filters_, bias_, project_bias_;
    long rows_at_once_, in_rows_at_once_;
};

} // namespace ffgan
