// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/channel_order.h"

#include "kernels/float8.h"

#include <utility>

namespace ffgan::layers {
namespace {

#if defined(__clang__)
#define FFGAN_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FFGAN_SHUFFLE(a, b, ...)                                                                   \
    __builtin_shuffle(a, b, detail::integers_of<std::decay_t<decltype(a)>>{__VA_ARGS__})
#endif

#if !defined(__AVX__)

[[gnu::always_inline]] inline void transpose(float4& a, float4& b, float4& c, float4& d) {
    const float4 ac = FFGAN_SHUFFLE(a, c, 0, 4, 1, 5), ac2 = FFGAN_SHUFFLE(a, c, 2, 6, 3, 7);
    const float4 bd = FFGAN_SHUFFLE(b, d, 0, 4, 1, 5), bd2 = FFGAN_SHUFFLE(b, d, 2, 6, 3, 7);
    a = FFGAN_SHUFFLE(ac, bd, 0, 4, 1, 5);
    b = FFGAN_SHUFFLE(ac, bd, 2, 6, 3, 7);
    c = FFGAN_SHUFFLE(ac2, bd2, 0, 4, 1, 5);
    d = FFGAN_SHUFFLE(ac2, bd2, 2, 6, 3, 7);
}

[[gnu::always_inline]] inline void transpose(float8 (&x)[8]) {
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        transpose(x[i].low, x[i + 1].low, x[i + 2].low, x[i + 3].low);
        transpose(x[i].high, x[i + 1].high, x[i + 2].high, x[i + 3].high);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
        std::swap(x[i].high, x[i + 4].low);
}

#else

[[gnu::always_inline]] inline void transpose(float8 (&x)[8]) {
    float8 pairs[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = FFGAN_SHUFFLE(x[i], x[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pairs[i + 1] = FFGAN_SHUFFLE(x[i], x[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    float8 fours[8];
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            const float8 a = pairs[i + half];
            const float8 b = pairs[i + half + 2];
            fours[i + 2 * half] = FFGAN_SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
            fours[i + 2 * half + 1] = FFGAN_SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        x[i] = FFGAN_SHUFFLE(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        x[i + 4] = FFGAN_SHUFFLE(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

#endif

} // namespace

void planes_to_channels_last(const float* planes, long plane_stride, long channels, long n,
                             float* pixels, long pixel_stride) {
    const long blocks = channels / 8 * 8;
    const long full = n / 8 * 8;
    for (long c = 0; c < blocks; c += 8) {
        const float* plane = planes + c * plane_stride;
        for (long i = 0; i < full; i += 8) {
            float8 x[8];
#pragma GCC unroll 8
            for (long k = 0; k < 8; ++k)
                x[k] = load8(plane + k * plane_stride + i);
            transpose(x);
#pragma GCC unroll 8
            for (long k = 0; k < 8; ++k)
                store8(pixels + (i + k) * pixel_stride + c, x[k]);
        }
        for (long i = full; i < n; ++i)
            for (long k = 0; k < 8; ++k)
                pixels[i * pixel_stride + c + k] = plane[k * plane_stride + i];
    }
    for (long c = blocks; c < channels; ++c)
        for (long i = 0; i < n; ++i)
            pixels[i * pixel_stride + c] = planes[c * plane_stride + i];
}

void channels_last_to_planes(const float* pixels, long pixel_stride, long channels, long n,
                             bool add, float* planes, long plane_stride) {
    const long blocks = channels / 8 * 8;
    const long full = n / 8 * 8;
    for (long c = 0; c < blocks; c += 8) {
        float* plane = planes + c * plane_stride;
        for (long i = 0; i < full; i += 8) {
            float8 x[8];
#pragma GCC unroll 8
            for (long k = 0; k < 8; ++k)
                x[k] = load8(pixels + (i + k) * pixel_stride + c);
            transpose(x);
            for (long k = 0; k < 8; ++k) {
                float* target = plane + k * plane_stride + i;
                store8(target, add ? load8(target) + x[k] : x[k]);
            }
        }
        for (long i = full; i < n; ++i)
            for (long k = 0; k < 8; ++k) {
                float& target = plane[k * plane_stride + i];
                target = add ? target + pixels[i * pixel_stride + c + k]
                             : pixels[i * pixel_stride + c + k];
            }
    }
    for (long c = blocks; c < channels; ++c)
        for (long i = 0; i < n; ++i) {
            float& target = planes[c * plane_stride + i];
            target = add ? target + pixels[i * pixel_stride + c] : pixels[i * pixel_stride + c];
        }
}

void squares_to_planes(const convolution_shape& s, const float* squares, long stride, long first,
                       long last, bool add, float* image) {
    const long columns = s.map_columns + 1;
    for (long row = first; row < last; ++row, squares += columns * stride)
        for (long y = 0; y < 2; ++y) {
            const long r = 2 * row + y - s.padding;
            if (r < 0 || r >= s.rows)
                continue;
            for (long x = 0; x < 2; ++x)
                for (long c = 0; c < s.channels; ++c) {
                    const float* from = squares + (2 * y + x) * s.channels + c;
                    float* to = image + (c * s.rows + r) * s.columns + x - s.padding;
                    const long begin = x < s.padding ? 1 : 0;
                    const long end = (s.columns - 1 - x + s.padding) / 2 + 1;
                    if (add)
                        for (long i = begin; i < end; ++i)
                            to[2 * i] += from[i * stride];
                    else
                        for (long i = begin; i < end; ++i)
                            to[2 * i] = from[i * stride];
                }
        }
}

} // namespace ffgan::layers
