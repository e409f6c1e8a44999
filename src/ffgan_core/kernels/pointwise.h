// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the layers that work on each value by itself do to eight of them at a time.

#pragma once

#include "kernels/float8.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace ffgan::layers {

// The first `count` of p's values (at most 8), then zeros.
inline float8 load_up_to_8(const float* p, long count) {
    if (count >= 8)
        return load8(p);
    float8 v = {};
    std::memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(float));
    return v;
}

inline void store_up_to_8(float* p, long count, float8 v) {
    std::memcpy(p, &v, static_cast<std::size_t>(std::min(count, 8L)) * sizeof(float));
}

// f(i, count) for eights of [0, n) and the rest; an eight's count is a constant, 8.
template <class F> void by_eights(long n, F&& f) {
    long i = 0;
    for (; i + 8 <= n; i += 8)
        f(i, std::integral_constant<long, 8>());
    if (i < n)
        f(i, n - i);
}

// The first `count` of the values, then zeros.
inline float8 first_of_8(float8 v, long count) {
    return count >= 8 ? v : kept_lanes((std::uint64_t{1} << count) - 1, v);
}

// value where gate > 0, elsewhere slope * value.
inline float8 leaky8(float8 gate, float8 value, float slope) {
    return select(gate > float8{}, value, slope * value);
}

// Bits [index, index + count) of a mask, count at most 8; what is above them is arbitrary.
inline std::uint64_t mask_bits(const std::uint64_t* mask, long index, long count) {
    const long word = index / 64, bit = index % 64;
    std::uint64_t bits = mask[word] >> bit;
    if (bit + count > 64)
        bits |= mask[word + 1] << (64 - bit);
    return bits;
}

// The values whose bit is 1, and zeros.
inline float8 kept(std::uint64_t bits, float8 values) { return kept_lanes(bits, values); }

} // namespace ffgan::layers
