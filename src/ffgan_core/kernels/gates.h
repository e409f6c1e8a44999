// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a clipped value may still change, as a bit for each: what a gradient needs to know of a
// ReLU that it goes through.

#pragma once

#include "kernels/float8.h"

#include <cstdint>
#include <cstring>

namespace ffgan::layers {

// As many floats as a kernel works on at once that keeps several of them in registers.
constexpr long gated_lanes = native_lanes == 16 ? 16 : 8;
#if defined(__AVX512F__)
using gated = float16;
#else
using gated = float8;
#endif

// By halves, and not by memcpy, which would go through memory.
template <class V> inline V load_as(const float* p) {
    if constexpr (ffgan::detail::is_halves<V>::value) {
        using half = decltype(V::low);
        return {load_as<half>(p), load_as<half>(p + lanes_of<half>)};
    } else {
        typedef float unaligned __attribute__((vector_size(sizeof(V)), aligned(4), may_alias));
        return *reinterpret_cast<const unaligned*>(p);
    }
}
template <class V> inline void store_as(float* p, V v) {
    if constexpr (ffgan::detail::is_halves<V>::value) {
        store_as(p, v.low);
        store_as(p + lanes_of<decltype(v.low)>, v.high);
    } else {
        typedef float unaligned __attribute__((vector_size(sizeof(V)), aligned(4), may_alias));
        *reinterpret_cast<unaligned*>(p) = v;
    }
}
inline gated load(const float* p) { return load_as<gated>(p); }
inline void store(float* p, gated v) { store_as(p, v); }

template <class V> inline V larger(V a, V b) { return select(a > b, a, b); }
template <class V> inline V smaller(V a, V b) { return select(a < b, a, b); }

namespace detail {

// The sign of each of a mask's values.
template <class Mask> inline unsigned mask_to_bits(Mask mask) {
    if constexpr (ffgan::detail::is_halves<Mask>::value) {
        constexpr unsigned lanes = sizeof(mask.low) / sizeof(float);
        return mask_to_bits(mask.low) | mask_to_bits(mask.high) << lanes;
    } else {
#if defined(__AVX512F__)
        if constexpr (sizeof mask == 64)
            return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
        else
#endif
#if defined(__AVX__)
            if constexpr (sizeof mask == 32)
            return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
        else
#endif
#if defined(__x86_64__)
            return static_cast<unsigned>(_mm_movemask_ps(reinterpret_cast<__m128>(mask)));
#else
        {
            const Mask of_lane = {1, 2, 4, 8};
            const Mask bits = mask & of_lane;
            return static_cast<unsigned>((bits[0] | bits[1]) | (bits[2] | bits[3]));
        }
#endif
    }
}

} // namespace detail

// Notes where x > low.
template <class V> inline void note_above(V x, V low, std::uint8_t* gates) {
    const unsigned bits = detail::mask_to_bits(x > low);
    std::memcpy(gates, &bits, sizeof(V) / sizeof(float) / 8);
}

// Notes where low < x < high.
template <class V> inline void note_between(V x, V low, V high, std::uint8_t* gates) {
    const unsigned bits = detail::mask_to_bits(x > low) & detail::mask_to_bits(x < high);
    std::memcpy(gates, &bits, sizeof(V) / sizeof(float) / 8);
}

// The values whose gate is open, and zeros.
template <class V> inline V where_open(V x, const std::uint8_t* gates) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, gates, sizeof(V) / sizeof(float) / 8);
    return kept_lanes(bits, x);
}

} // namespace ffgan::layers
