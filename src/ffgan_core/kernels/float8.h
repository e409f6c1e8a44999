// SPDX-License-Identifier: GPL-3.0-or-later
//
// Eight and sixteen floats as one value, whatever the width of the processor's registers is: a
// register where they fit into one, else pairs of halves. Lanes are independent, and every
// operation on a lane is one rounding (or the one of a fused multiply-add), so the width never
// changes a result.

#pragma once

#ifndef FFGAN_INSTRUCTION_SET
#error "vectors belong into kernels/, which is compiled for each instruction set (docs/engine.md)"
#endif

#include "base/workspace.h"
#include "kernels/multiply_add.h"
#include "kernels/vectors.h"

#include <cstring>

namespace ffgan {

namespace detail {
// Register by register: as one piece, halves would go through memory.
template <class V> inline V load(const float* p) {
    V v;
    if constexpr (is_halves<V>::value)
        v = {load<decltype(V::low)>(p), load<decltype(V::low)>(p + lanes_of<V> / 2)};
    else
        std::memcpy(&v, p, sizeof v);
    return v;
}
template <class V> inline void store(float* p, V v) {
    if constexpr (is_halves<V>::value) {
        store(p, v.low);
        store(p + lanes_of<V> / 2, v.high);
    } else {
        std::memcpy(p, &v, sizeof v);
    }
}
} // namespace detail

inline float8 load8(const float* p) { return detail::load<float8>(p); }
inline void store8(float* p, float8 v) { detail::store(p, v); }
inline float8 broadcast8(float x) { return broadcast<float8>(x); }

inline float16 load16(const float* p) { return detail::load<float16>(p); }
inline void store16(float* p, float16 v) { detail::store(p, v); }
inline float16 broadcast16(float x) { return broadcast<float16>(x); }

// A fixed tree, so that a sum of lanes has one value.
inline double sum8(float8 v) {
    float x[8];
    store8(x, v);
    return ((static_cast<double>(x[0]) + x[1]) + (static_cast<double>(x[2]) + x[3])) +
           ((static_cast<double>(x[4]) + x[5]) + (static_cast<double>(x[6]) + x[7]));
}

} // namespace ffgan
