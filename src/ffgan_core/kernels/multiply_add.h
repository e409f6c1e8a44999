// SPDX-License-Identifier: GPL-3.0-or-later
//
// a * b + c with one rounding, on every processor. The compilers are told not to fuse operations
// by themselves (-ffp-contract=off), so what is fused is what says so.
//
// Without such an instruction (SSE4.2) it is emulated. The product of two floats is exact as a
// double, and their sum with a third is rounded to a double and then to a float. The second
// rounding goes wrong only where the first one hit the middle between two floats, or where the
// float is subnormal and has fewer digits. These lanes, which are rare, are computed anew by
// rounding the sum to odd (Boldo, Melquiond: "Emulation of a FMA and correctly rounded sums:
// proved algorithms using rounding to odd", IEEE Transactions on Computers, 2008).

#pragma once

#include "kernels/vectors.h"

#include <cmath>
#include <cstdint>
#include <cstring>

namespace ffgan {

#if defined(__FMA__) || defined(__aarch64__)
#define FFGAN_FUSES 1
#endif

#ifdef FFGAN_FUSES

inline float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

#ifdef __aarch64__
inline float4 multiply_add(float4 a, float4 b, float4 c) { return vfmaq_f32(c, a, b); }
#else
inline float4 multiply_add(float4 a, float4 b, float4 c) { return _mm_fmadd_ps(a, b, c); }
inline float8 multiply_add(float8 a, float8 b, float8 c) { return _mm256_fmadd_ps(a, b, c); }
#ifdef __AVX512F__
inline float16 multiply_add(float16 a, float16 b, float16 c) { return _mm512_fmadd_ps(a, b, c); }
#endif
#endif

#else

// Exact wherever the sum is finite.
inline float multiply_add(float a, float b, float c) {
    const double product = static_cast<double>(a) * b, addend = c;
    double sum = product + addend;
    if (!(std::fabs(sum) < HUGE_VAL))
        return static_cast<float>(sum);
    // What the sum lost (Knuth's two-sum).
    const double other = sum - product;
    const double lost = (product - (sum - other)) + (addend - other);
    if (lost != 0) {
        std::uint64_t bits;
        std::memcpy(&bits, &sum, sizeof bits);
        if (bits % 2 == 0)
            bits += (lost > 0) == (sum > 0) ? std::uint64_t{1} : ~std::uint64_t{0};
        std::memcpy(&sum, &bits, sizeof bits);
    }
    return static_cast<float>(sum);
}

#ifdef __SSE4_1__
inline float4 multiply_add(float4 a, float4 b, float4 c) {
    const __m128d low = _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(c));
    const auto upper = [](__m128 x) { return _mm_cvtps_pd(_mm_movehl_ps(x, x)); };
    const __m128d high = _mm_add_pd(_mm_mul_pd(upper(a), upper(b)), upper(c));
    float4 result = _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
    // The halves of the doubles' bits.
    const __m128 l = _mm_castpd_ps(low), h = _mm_castpd_ps(high);
    const __m128i ends = _mm_castps_si128(_mm_shuffle_ps(l, h, _MM_SHUFFLE(2, 0, 2, 0)));
    const __m128i heads =
        _mm_and_si128(_mm_castps_si128(_mm_shuffle_ps(l, h, _MM_SHUFFLE(3, 1, 3, 1))),
                      _mm_set1_epi32(0x7fffffff));
    // A double has 29 bits more than a float: in the middle only the first of them is set. Below
    // 2^-126, whose upper half this is, a float has fewer bits.
    const __m128i middle = _mm_cmpeq_epi32(_mm_and_si128(ends, _mm_set1_epi32(0x1fffffff)),
                                           _mm_set1_epi32(0x10000000));
    const __m128i small = _mm_and_si128(_mm_cmpgt_epi32(_mm_set1_epi32(0x38100000), heads),
                                        _mm_cmpgt_epi32(heads, _mm_setzero_si128()));
    const __m128i doubtful = _mm_or_si128(middle, small);
    if (__builtin_expect(!_mm_testz_si128(doubtful, doubtful), 0))
        for (int i = 0; i < 4; ++i)
            result[i] = multiply_add(a[i], b[i], c[i]);
    return result;
}
#else
inline float4 multiply_add(float4 a, float4 b, float4 c) {
    for (int i = 0; i < 4; ++i)
        c[i] = multiply_add(a[i], b[i], c[i]);
    return c;
}
#endif

#endif

template <class V> inline halves<V> multiply_add(halves<V> a, halves<V> b, halves<V> c) {
    return {multiply_add(a.low, b.low, c.low), multiply_add(a.high, b.high, c.high)};
}

// With a constant.
template <class V> inline V multiply_add(float a, V b, V c) {
    return multiply_add(broadcast<V>(a), b, c);
}

// a * b + c where a last bit does not matter, as in training: fused where that costs nothing.
template <class A, class V> inline V near_multiply_add(A a, V b, V c) {
#ifdef FFGAN_FUSES
    return multiply_add(a, b, c);
#else
    return a * b + c;
#endif
}

} // namespace ffgan
