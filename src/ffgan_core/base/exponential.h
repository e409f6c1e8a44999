// SPDX-License-Identifier: GPL-3.0-or-later

#pragma once

#include "base/float8.h"

namespace ffgan {

// exp by a degree-6 polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes, expf) and a power of two.
inline float8 exp8(float8 x) {
    // Beyond this range the power of two would leave float32's normal numbers.
    const float8 lowest = broadcast8(-87.0f), highest = broadcast8(88.0f);
    x = x < lowest ? lowest : x;
    x = x > highest ? highest : x;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const float8 rounder = broadcast8(12582912.0f);
    const float8 power = (x * 1.44269504088896341f + rounder) - rounder;
    float8 r = x - power * 0.693359375f;
    r = r + power * 2.12194440e-4f;
    float8 p = broadcast8(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const int32x8 bits = (__builtin_convertvector(power, int32x8) + 127) << 23;
    float8 scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

inline float8 sigmoid8(float8 x) { return 1.0f / (1.0f + exp8(-x)); }

} // namespace ffgan
