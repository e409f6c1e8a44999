// SPDX-License-Identifier: GPL-3.0-or-later

#pragma once

#include "kernels/float8.h"

#include <initializer_list>

namespace ffgan {

// exp by a degree-6 polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes, expf) and a power of two.
inline float8 exp8(float8 x) {
    // Beyond this range the power of two would leave float32's normal numbers.
    const float8 lowest = broadcast8(-87.0f), highest = broadcast8(88.0f);
    x = select(x < lowest, lowest, x);
    x = select(x > highest, highest, x);
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const float8 rounder = broadcast8(12582912.0f);
    const float8 power = multiply_add(1.44269504088896341f, x, rounder) - rounder;
    float8 r = multiply_add(-0.693359375f, power, x);
    r = multiply_add(2.12194440e-4f, power, r);
    float8 p = broadcast8(1.9875691500e-4f);
    for (const float c :
         {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        p = multiply_add(p, r, broadcast8(c));
    p = multiply_add(p * r, r, r) + 1.0f;
    return p * two_to_the(power);
}

inline float8 sigmoid8(float8 x) { return 1.0f / (1.0f + exp8(-x)); }

} // namespace ffgan
