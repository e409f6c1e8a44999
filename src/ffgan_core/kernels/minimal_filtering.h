// SPDX-License-Identifier: GPL-3.0-or-later
//
// The transforms of F(m, r) in one dimension (see tiled_convolution.h): with d the m + r - 1 inputs
// and g the r taps, outputs y[i] = sum over a of g[a] d[i + a] are output(input(d) * filter(g)).
// F(2, 2) has the interpolation points 0, -1 and infinity, F(3, 2) and F(2, 3) have 0, 1, -1 and
// infinity, F(4, 2) adds 2, F(5, 2) and F(4, 3) add 2 and -2: for three taps the matrices are those
// of Lavin and Gray. The adjoints give gradients: of y by g, filter_adjoint(input(d) *
// output_adjoint(dy)).
//
// adds_product_1: output() adds product 1 to every output, so a constant added to that product is
// added to all of them. V is float or a vector of floats. Multiples by powers of two are exact, so
// that whether they are fused with a sum makes no difference.

#pragma once

#include "kernels/multiply_add.h"

namespace ffgan::layers {

// k * a + b with k a power of two: k * a is exact, so fusing it with the sum changes nothing.
template <class V> inline V scaled_sum(float k, V a, V b) {
    return near_multiply_add(broadcast<V>(k), a, b);
}

// The transform of six inputs for the points 0, 1, -1, 2, -2 and infinity.
template <class V> inline void six_points(const V* d, V* v) {
    const V a = scaled_sum(-4.0f, d[2], d[4]);
    const V b = scaled_sum(-4.0f, d[1], d[3]);
    const V c = d[4] - d[2];
    const V e = d[3] - d[1];
    v[0] = scaled_sum(4.0f, d[0] - d[2], c);
    v[1] = a + b;
    v[2] = a - b;
    v[3] = scaled_sum(2.0f, e, c);
    v[4] = scaled_sum(-2.0f, e, c);
    v[5] = scaled_sum(-4.0f, e, d[5] - d[3]);
}

template <int M, int R> struct minimal_filtering;

template <> struct minimal_filtering<2, 2> {
    static constexpr int tile = 2;
    static constexpr int taps = 2;
    static constexpr int window = 3;
    static constexpr bool adds_product_1 = true;
    template <class V> static void input(const V* d, V* v) {
        v[0] = d[0] - d[1];
        v[1] = d[1];
        v[2] = d[1] - d[2];
    }
    template <class V> static void filter(const V* g, V* u) {
        u[0] = g[0];
        u[1] = g[0] + g[1];
        u[2] = g[1];
    }
    template <class V> static void output(const V* m, V* y) {
        y[0] = m[0] + m[1];
        y[1] = m[1] - m[2];
    }
    template <class V> static void output_adjoint(const V* y, V* m) {
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = -y[1];
    }
    template <class V> static void filter_adjoint(const V* u, V* g) {
        g[0] = u[0] + u[1];
        g[1] = u[1] + u[2];
    }
};

template <> struct minimal_filtering<3, 2> {
    static constexpr int tile = 3;
    static constexpr int taps = 2;
    static constexpr int window = 4;
    static constexpr bool adds_product_1 = true;
    template <class V> static void input(const V* d, V* v) {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
    }
    template <class V> static void filter(const V* g, V* u) {
        u[0] = g[0];
        u[1] = 0.5f * (g[0] + g[1]);
        u[2] = 0.5f * (g[0] - g[1]);
        u[3] = g[1];
    }
    template <class V> static void output(const V* m, V* y) {
        const V sum = m[1] + m[2];
        y[0] = m[0] + sum;
        y[1] = m[1] - m[2];
        y[2] = sum - m[3];
    }
    template <class V> static void output_adjoint(const V* y, V* m) {
        const V outer = y[0] + y[2];
        m[0] = y[0];
        m[1] = outer + y[1];
        m[2] = outer - y[1];
        m[3] = -y[2];
    }
    template <class V> static void filter_adjoint(const V* u, V* g) {
        g[0] = u[0] + 0.5f * (u[1] + u[2]);
        g[1] = u[3] + 0.5f * (u[1] - u[2]);
    }
};

template <> struct minimal_filtering<4, 2> {
    static constexpr int tile = 4;
    static constexpr int taps = 2;
    static constexpr int window = 5;
    static constexpr bool adds_product_1 = true;
    template <class V> static void input(const V* d, V* v) {
        const V outer = d[3] - d[1];
        const V inner = d[3] - d[2];
        v[0] = scaled_sum(2.0f, d[0] - d[2], outer);
        v[1] = scaled_sum(-2.0f, d[1], inner);
        v[2] = scaled_sum(2.0f, d[1] - d[2], inner);
        v[3] = outer;
        v[4] = scaled_sum(-2.0f, outer, d[4] - d[2]);
    }
    template <class V> static void filter(const V* g, V* u) {
        u[0] = 0.5f * g[0];
        u[1] = -0.5f * (g[0] + g[1]);
        u[2] = (1.0f / 6) * (g[1] - g[0]);
        u[3] = multiply_add(1.0f / 6, g[0], (1.0f / 3) * g[1]);
        u[4] = g[1];
    }
    template <class V> static void output(const V* m, V* y) {
        const V a = m[1] + m[2];
        const V b = m[1] - m[2];
        y[0] = m[0] + a + m[3];
        y[1] = scaled_sum(2.0f, m[3], b);
        y[2] = scaled_sum(4.0f, m[3], a);
        y[3] = scaled_sum(8.0f, m[3], b) + m[4];
    }
    template <class V> static void output_adjoint(const V* y, V* m) {
        const V even = y[0] + y[2];
        const V odd = y[1] + y[3];
        m[0] = y[0];
        m[1] = even + odd;
        m[2] = even - odd;
        m[3] = (y[0] + 4.0f * y[2]) + (2.0f * y[1] + 8.0f * y[3]);
        m[4] = y[3];
    }
    template <class V> static void filter_adjoint(const V* u, V* g) {
        const V low = 0.5f * u[1];
        g[0] = 0.5f * u[0] - low + (1.0f / 6) * (u[3] - u[2]);
        g[1] = (1.0f / 6) * u[2] - low + (1.0f / 3) * u[3] + u[4];
    }
};

template <> struct minimal_filtering<5, 2> {
    static constexpr int tile = 5;
    static constexpr int taps = 2;
    static constexpr int window = 6;
    static constexpr bool adds_product_1 = true;
    template <class V> static void input(const V* d, V* v) { six_points(d, v); }
    template <class V> static void filter(const V* g, V* u) {
        const V near = (-1.0f / 6) * g[0];
        const V middle = (1.0f / 6) * g[1];
        const V far = (1.0f / 24) * g[0];
        const V half = (1.0f / 12) * g[1];
        u[0] = 0.25f * g[0];
        u[1] = near - middle;
        u[2] = near + middle;
        u[3] = far + half;
        u[4] = far - half;
        u[5] = g[1];
    }
    template <class V> static void output(const V* m, V* y) {
        const V a = m[1] + m[2];
        const V b = m[1] - m[2];
        const V c = m[3] + m[4];
        const V e = m[3] - m[4];
        y[0] = m[0] + a + c;
        y[1] = scaled_sum(2.0f, e, b);
        y[2] = scaled_sum(4.0f, c, a);
        y[3] = scaled_sum(8.0f, e, b);
        y[4] = scaled_sum(16.0f, c, a) + m[5];
    }
    template <class V> static void output_adjoint(const V* y, V* m) {
        const V even = y[0] + (y[2] + y[4]);
        const V odd = y[1] + y[3];
        const V far_even = scaled_sum(4.0f, scaled_sum(4.0f, y[4], y[2]), y[0]);
        const V far_odd = 2.0f * scaled_sum(4.0f, y[3], y[1]);
        m[0] = y[0];
        m[1] = even + odd;
        m[2] = even - odd;
        m[3] = far_even + far_odd;
        m[4] = far_even - far_odd;
        m[5] = y[4];
    }
    template <class V> static void filter_adjoint(const V* u, V* g) {
        const V far = u[3] + u[4];
        g[0] = 0.25f * u[0] + (-1.0f / 6) * (u[1] + u[2]) + (1.0f / 24) * far;
        g[1] = (1.0f / 6) * (u[2] - u[1]) + (1.0f / 12) * (u[3] - u[4]) + u[5];
    }
};

template <> struct minimal_filtering<2, 3> {
    static constexpr int tile = 2;
    static constexpr int taps = 3;
    static constexpr int window = 4;
    static constexpr bool adds_product_1 = true;
    template <class V> static void input(const V* d, V* v) {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
    }
    template <class V> static void filter(const V* g, V* u) {
        const V outer = g[0] + g[2];
        u[0] = g[0];
        u[1] = 0.5f * (outer + g[1]);
        u[2] = 0.5f * (outer - g[1]);
        u[3] = g[2];
    }
    template <class V> static void output(const V* m, V* y) {
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] - m[3];
    }
    template <class V> static void output_adjoint(const V* y, V* m) {
        m[0] = y[0];
        m[1] = y[0] + y[1];
        m[2] = y[0] - y[1];
        m[3] = -y[1];
    }
    template <class V> static void filter_adjoint(const V* u, V* g) {
        const V sum = 0.5f * (u[1] + u[2]);
        g[0] = u[0] + sum;
        g[1] = 0.5f * (u[1] - u[2]);
        g[2] = sum + u[3];
    }
};

template <> struct minimal_filtering<4, 3> {
    static constexpr int tile = 4;
    static constexpr int taps = 3;
    static constexpr int window = 6;
    static constexpr bool adds_product_1 = true;
    template <class V> static void input(const V* d, V* v) { six_points(d, v); }
    template <class V> static void filter(const V* g, V* u) {
        const V outer = g[0] + g[2];
        const V middle = (1.0f / 6) * g[1];
        const V far = multiply_add(1.0f / 24, g[0], (1.0f / 6) * g[2]);
        u[0] = 0.25f * g[0];
        u[1] = multiply_add(-1.0f / 6, outer, -middle);
        u[2] = multiply_add(-1.0f / 6, outer, middle);
        u[3] = multiply_add(1.0f / 12, g[1], far);
        u[4] = multiply_add(-1.0f / 12, g[1], far);
        u[5] = g[2];
    }
    template <class V> static void output(const V* m, V* y) {
        const V a = m[1] + m[2];
        const V b = m[1] - m[2];
        const V c = m[3] + m[4];
        const V e = m[3] - m[4];
        y[0] = m[0] + a + c;
        y[1] = scaled_sum(2.0f, e, b);
        y[2] = scaled_sum(4.0f, c, a);
        y[3] = scaled_sum(8.0f, e, b) + m[5];
    }
    template <class V> static void output_adjoint(const V* y, V* m) {
        const V even = y[0] + y[2];
        const V odd = y[1] + y[3];
        const V far_even = y[0] + 4.0f * y[2];
        const V far_odd = 2.0f * y[1] + 8.0f * y[3];
        m[0] = y[0];
        m[1] = even + odd;
        m[2] = even - odd;
        m[3] = far_even + far_odd;
        m[4] = far_even - far_odd;
        m[5] = y[3];
    }
    template <class V> static void filter_adjoint(const V* u, V* g) {
        const V near = (-1.0f / 6) * (u[1] + u[2]);
        const V far = u[3] + u[4];
        g[0] = 0.25f * u[0] + near + (1.0f / 24) * far;
        g[1] = (1.0f / 6) * (u[2] - u[1]) + (1.0f / 12) * (u[3] - u[4]);
        g[2] = near + (1.0f / 6) * far + u[5];
    }
};

// A transform along both dimensions, of In x In values read(row, column) to Out x Out values
// written as write(row, column, value): in an order that keeps few of them in registers.
template <int In, int Out, class V, class Transform, class Read, class Write>
[[gnu::always_inline]] inline void transform_square(const Transform& transform, const Read& read,
                                                    const Write& write) {
    V half[In * Out]; // In columns of Out values
#pragma GCC unroll 6
    for (int column = 0; column < In; ++column) {
        V line[In];
#pragma GCC unroll 6
        for (int row = 0; row < In; ++row)
            line[row] = read(row, column);
        transform(line, half + column * Out);
    }
#pragma GCC unroll 6
    for (int row = 0; row < Out; ++row) {
        V line[In], result[Out];
#pragma GCC unroll 6
        for (int column = 0; column < In; ++column)
            line[column] = half[column * Out + row];
        transform(line, result);
#pragma GCC unroll 6
        for (int column = 0; column < Out; ++column)
            write(row, column, result[column]);
    }
}

// A transform along both dimensions, from In x In to Out x Out values.
template <int In, int Out, class V, class Transform>
[[gnu::always_inline]] inline void in_two_dimensions(const V (&in)[In * In], V (&out)[Out * Out],
                                                     const Transform& transform) {
    V half[In * Out]; // In columns of Out values
#pragma GCC unroll 6
    for (int column = 0; column < In; ++column) {
        V line[In];
#pragma GCC unroll 6
        for (int row = 0; row < In; ++row)
            line[row] = in[row * In + column];
        transform(line, half + column * Out);
    }
#pragma GCC unroll 6
    for (int row = 0; row < Out; ++row) {
        V line[In];
#pragma GCC unroll 6
        for (int column = 0; column < In; ++column)
            line[column] = half[column * Out + row];
        transform(line, out + row * Out);
    }
}

} // namespace ffgan::layers
