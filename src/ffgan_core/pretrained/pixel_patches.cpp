// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/pixel_patches.h"

#include "base/shapes.h"
#include "base/sizes.h"

#include <algorithm>
#include <cstring>

namespace ffgan {

pixel_patches::pixel_patches(long kernel, long stride, long before, long in_side, long side)
    : kernel_(kernel), stride_(stride), before_(before), in_side_(in_side), side_(side),
      width_(std::max((side - 1) * stride + kernel, before + in_side)) {}

long pixel_patches::taps() const { return image_channels * kernel_ * kernel_; }
long pixel_patches::size() const { return width_ * width_ * image_channels; }

std::vector<float> pixel_patches::in_this_order(const std::vector<float>& filters) const {
    std::vector<float> result;
    const long places = kernel_ * kernel_;
    for (long f = 0; f < static_cast<long>(filters.size()); f += taps())
        for (long place = 0; place < places; ++place)
            for (long c = 0; c < image_channels; ++c)
                result.push_back(filters[count(f + c * places + place)]);
    return result;
}

// Calls f(place in the planes, place in the pixels, channel).
template <class F> void pixel_patches::each_pixel(const F& f) const {
    for (long c = 0; c < image_channels; ++c)
        for (long r = 0; r < in_side_; ++r)
            for (long i = 0; i < in_side_; ++i)
                f((c * in_side_ + r) * in_side_ + i,
                  ((r + before_) * width_ + i + before_) * image_channels + c, c);
}

void pixel_patches::take(const float* planes, float factor, const std::array<float, 3>& offsets,
                         float* pixels) const {
    std::fill_n(pixels, size(), 0.0f);
    each_pixel([&](long at, long to, long channel) {
        pixels[to] = planes[at] * factor + offsets[count(channel)];
    });
}

void pixel_patches::give(const float* pixels, float factor, float* planes) const {
    each_pixel([&](long at, long from, long) { planes[at] = pixels[from] * factor; });
}

// Calls f(place in the pixels, place in the patches) for each row of a patch.
template <class F>
void pixel_patches::each_run(long first, long last, long stride, const F& f) const {
    for (long r = first; r < last; ++r)
        for (long c = 0; c < side_; ++c)
            for (long y = 0; y < kernel_; ++y)
                f(((r * stride_ + y) * width_ + c * stride_) * image_channels,
                  ((r - first) * side_ + c) * stride + y * kernel_ * image_channels);
}

void pixel_patches::unfold(const float* pixels, long first, long last, float* patches) const {
    const std::size_t length = count(kernel_ * image_channels) * sizeof(float);
    each_run(first, last, taps(),
             [&](long at, long to) { std::memcpy(patches + to, pixels + at, length); });
}

void pixel_patches::fold(const float* patches, long stride, long first, long last,
                         float* pixels) const {
    const long length = kernel_ * image_channels;
    each_run(first, last, stride, [&](long at, long from) {
        for (long i = 0; i < length; ++i)
            pixels[at + i] += patches[from + i];
    });
}

} // namespace ffgan
