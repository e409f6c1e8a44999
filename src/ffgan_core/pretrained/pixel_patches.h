// SPDX-License-Identifier: GPL-3.0-or-later
//
// The pixels under a network's first kernels, side by side: with three channels they are few, so
// that the first convolution is a product with them.

#pragma once

#include <array>
#include <vector>

namespace ffgan {

class pixel_patches {
  public:
    // Of in_side x in_side pixels with `before` zeros before each row and column; side x side
    // patches.
    pixel_patches(long kernel, long stride, long before, long in_side, long side);

    long side() const { return side_; }
    long taps() const; // of a patch: row, column, channel
    long size() const; // floats of an image with channels last and zeros around it

    // filters: (.., channels, kernel, kernel).
    std::vector<float> in_this_order(const std::vector<float>& filters) const;

    // planes: 3 x in_side x in_side. pixels, size() floats: planes * factor + offset of the
    // channel.
    void take(const float* planes, float factor, const std::array<float, 3>& offsets,
              float* pixels) const;
    // patches: of rows [first, last).
    void unfold(const float* pixels, long first, long last, float* patches) const;

    // The adjoints; a patch of `stride` floats is added to the pixels.
    void fold(const float* patches, long stride, long first, long last, float* pixels) const;
    void give(const float* pixels, float factor, float* planes) const;

  private:
    template <class F> void each_pixel(const F& f) const;
    template <class F> void each_run(long first, long last, long stride, const F& f) const;

    long kernel_, stride_, before_, in_side_, side_, width_;
};

} // namespace ffgan
