// SPDX-License-Identifier: GPL-3.0-or-later
//
// Floats by the register. What must fill registers to be fast, products and transforms, is written
// for any number of lanes; lanes are independent, so their number never changes a value.

#pragma once

#include "base/sizes.h"
#include "kernels/float8.h"

namespace ffgan {

#if defined(__AVX512F__)
using native = float16;
#elif defined(__AVX__)
using native = float8;
#else
using native = float4;
#endif

// At any address; by memcpy the compiler would load integers, and keep them in memory.
typedef float unaligned_native
    __attribute__((vector_size(native_lanes * sizeof(float)), aligned(4), may_alias));
inline native load_native(const float* p) { return *reinterpret_cast<const unaligned_native*>(p); }
inline void store_native(float* p, native v) { *reinterpret_cast<unaligned_native*>(p) = v; }

// The first n of p's values, then zeros.
inline native load_first(const float* p, long n) {
    if (n >= native_lanes)
        return load_native(p);
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << (n > 0 ? n : 0)) - 1), p);
#endif
    native v = {};
    if (n > 0)
        std::memcpy(&v, p, count(n) * sizeof(float));
    return v;
}

#if defined(__AVX512F__)
// `others` with p's first n values from lane `first` on; nothing else is read.
inline native load_from_lane(native others, long first, long n, const float* p) {
    return _mm512_mask_loadu_ps(others, static_cast<__mmask16>(((1U << n) - 1) << first),
                                p - first);
}
#endif

// The first n values.
inline void store_first(float* p, long n, native v) {
    if (n >= native_lanes)
        store_native(p, v);
    else if (n > 0) {
#if defined(__AVX512F__)
        _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), v);
#else
        std::memcpy(p, &v, count(n) * sizeof(float));
#endif
    }
}

// a > b ? a : b
inline native larger(native a, native b) {
#if defined(__AVX512F__)
    return _mm512_mask_max_ps(a, 0xffff, a, b);
#elif defined(__AVX__)
    return _mm256_max_ps(a, b);
#elif defined(__SSE__)
    return _mm_max_ps(a, b);
#else
    return select(a > b, a, b);
#endif
}

} // namespace ffgan
