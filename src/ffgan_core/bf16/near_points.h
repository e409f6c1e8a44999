// SPDX-License-Identifier: GPL-3.0-or-later
//
// F(5, 2) for operands that are rounded to 8 bits. The points 1, -1, 2 and -2, whose multiples a
// float holds exactly, make numbers of very different sizes, and the rounding of the large ones is
// what is left of the small ones. The square roots of 1/2 and of 2 with both signs lie as near to
// one another as four points can whose squares have the product 1: the error is half as large.

#pragma once

#include "kernels/multiply_add.h"

namespace ffgan::bf16 {

// As minimal_filtering<5, 2> of kernels/minimal_filtering.h, for the points 0, a, -a, b, -b and
// infinity, where a^2 = 1/2 and b^2 = 2.
struct near_points {
    static constexpr int tile = 5;
    static constexpr int taps = 2;
    static constexpr int window = 6;
    static constexpr bool adds_product_1 = false;
    static constexpr float a = 0.70710678f, b = 1.41421356f;

    template <class V> static void input(const V* d, V* v) {
        const V even_a = multiply_add(-2.0f, d[2], d[4]);
        const V odd_a = multiply_add(-2.0f, d[1], d[3]);
        const V even_b = multiply_add(-0.5f, d[2], d[4]);
        const V odd_b = multiply_add(-0.5f, d[1], d[3]);
        v[0] = multiply_add(-2.5f, d[2], d[0] + d[4]);
        v[1] = multiply_add(a, odd_a, even_a);
        v[2] = multiply_add(-a, odd_a, even_a);
        v[3] = multiply_add(b, odd_b, even_b);
        v[4] = multiply_add(-b, odd_b, even_b);
        v[5] = multiply_add(-2.5f, d[3], d[1] + d[5]);
    }
    template <class V> static void filter(const V* g, V* u) {
        u[0] = g[0];
        u[1] = (-1 / 1.5f) * (g[0] + a * g[1]);
        u[2] = (-1 / 1.5f) * (g[0] - a * g[1]);
        u[3] = (1 / 6.0f) * (g[0] + b * g[1]);
        u[4] = (1 / 6.0f) * (g[0] - b * g[1]);
        u[5] = g[1];
    }
    template <class V> static void output(const V* m, V* y) {
        const V even_a = m[1] + m[2];
        const V odd_a = a * (m[1] - m[2]);
        const V even_b = m[3] + m[4];
        const V odd_b = b * (m[3] - m[4]);
        y[0] = m[0] + even_a + even_b;
        y[1] = odd_a + odd_b;
        y[2] = multiply_add(2.0f, even_b, 0.5f * even_a);
        y[3] = multiply_add(2.0f, odd_b, 0.5f * odd_a);
        y[4] = multiply_add(4.0f, even_b, multiply_add(0.25f, even_a, m[5]));
    }
};

} // namespace ffgan::bf16
