// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/depthwise_kernels.h"

#include "kernels/float8.h"

namespace ffgan {
namespace {

constexpr long lanes = 8;

std::size_t as_size(long n) { return static_cast<std::size_t>(n); }

void store_some(float8 v, long count, float* to) {
    if (count >= lanes) {
        store8(to, v);
        return;
    }
    float values[lanes];
    store8(values, v);
    std::copy_n(values, count, to);
}

// Rows are computed eight columns at a time, and so that a sum over the kernel's taps reads
// neighbours, the columns of each phase of the stride lie together in a copy with a border of
// zeros.
template <long k, long s>
void correlate(const depthwise_shape& shape, const float* x, const float* kernel, workspace& memory,
               float* y) {
    const long wide = divided_up(shape.side, lanes) * lanes; // columns computed
    const long width = wide + (k - 1) / s + 1;               // of a phase
    const long rows = (shape.side - 1) * s + k;
    float* padded = memory.get(as_size(rows * s * width));
    std::fill_n(padded, rows * s * width, 0.0f);
    for (long r = 0; r < std::min(shape.in_side, rows - shape.before); ++r) {
        float* to = padded + (r + shape.before) * s * width;
        const float* from = x + r * shape.in_side;
        if (s == 1)
            std::copy_n(from, shape.in_side, to + shape.before);
        else
            for (long c = 0; c < shape.in_side; ++c) {
                const long column = c + shape.before;
                to[column % s * width + column / s] = from[c];
            }
    }
    for (long r = 0; r < shape.side; ++r, y += shape.side)
        for (long c = 0; c < shape.side; c += lanes) {
            float8 sum = broadcast8(0);
            for (long dy = 0; dy < k; ++dy) {
                const float* row = padded + (r * s + dy) * s * width + c;
                for (long dx = 0; dx < k; ++dx)
                    sum = near_multiply_add(kernel[dy * k + dx],
                                            load8(row + dx % s * width + dx / s), sum);
            }
            store_some(sum, shape.side - c, y + c);
        }
}

// Its adjoint: the pixels of each phase of the stride are sums over the taps that meet them.
template <long k, long s>
void spread(const depthwise_shape& shape, const float* of_y, const float* kernel, workspace& memory,
            float* of_x) {
    constexpr long border = (k - 1) / s;
    const long reach = divided_up(shape.before + shape.in_side, s); // of a phase
    const long wide = divided_up(reach, lanes) * lanes;
    const long width = border + std::max(wide, shape.side), rows = border + reach;
    float* padded = memory.get(as_size(std::max(rows, border + shape.side) * width));
    std::fill_n(padded, std::max(rows, border + shape.side) * width, 0.0f);
    for (long r = 0; r < shape.side; ++r)
        std::copy_n(of_y + r * shape.side, shape.side, padded + (border + r) * width + border);
    for (long r = 0; r < shape.in_side; ++r) {
        const long row = (r + shape.before) / s, phase_y = (r + shape.before) % s;
        for (long phase_x = 0; phase_x < s; ++phase_x) {
            // Columns begin .. reach of this phase are in the image.
            for (long c = 0; c < reach; c += lanes) {
                float8 sum = broadcast8(0);
                for (long dy = phase_y; dy < k; dy += s) {
                    const float* from = padded + (border + row - dy / s) * width + border + c;
                    for (long dx = phase_x; dx < k; dx += s)
                        sum = near_multiply_add(kernel[dy * k + dx], load8(from - dx / s), sum);
                }
                float values[lanes];
                store8(values, sum);
                for (long i = 0; i < lanes; ++i) {
                    const long column = (c + i) * s + phase_x - shape.before;
                    if (column >= 0 && column < shape.in_side)
                        of_x[r * shape.in_side + column] = values[i];
                }
            }
        }
    }
}

// Calls f(kernel, stride), both as constants.
template <class F> void with_shape(const depthwise_shape& shape, const F& f) {
    const auto with_kernel = [&](auto k) {
        if (shape.stride == 1)
            f(k, std::integral_constant<long, 1>());
        else
            f(k, std::integral_constant<long, 2>());
    };
    if (shape.kernel == 3)
        with_kernel(std::integral_constant<long, 3>());
    else
        with_kernel(std::integral_constant<long, 5>());
}

} // namespace

void depthwise_forward(const depthwise_shape& shape, const float* x, const float* kernel,
                       workspace& memory, float* y) {
    with_shape(shape, [&](auto k, auto s) {
        correlate<decltype(k)::value, decltype(s)::value>(shape, x, kernel, memory, y);
    });
}

void depthwise_backward(const depthwise_shape& shape, const float* of_y, const float* kernel,
                        workspace& memory, float* of_x) {
    with_shape(shape, [&](auto k, auto s) {
        spread<decltype(k)::value, decltype(s)::value>(shape, of_y, kernel, memory, of_x);
    });
}

void relu6(const float* bias, long channels, long places, float* x, std::uint8_t* passes) {
    for (long c = 0; c < channels; ++c) {
        const float b = bias[c];
        for (long i = 0; i < places; ++i) {
            const float value = x[i] + b, positive = value > 0 ? value : 0;
            x[i] = positive < 6 ? positive : 6;
        }
        for (long i = 0; i < places; ++i)
            passes[i] = static_cast<std::uint8_t>((x[i] > 0) & (x[i] < 6));
        x += places;
        passes += places;
    }
}

void relu6_back(const std::uint8_t* passes, long size, float* gradient) {
    for (long i = 0; i < size; ++i)
        gradient[i] = passes[i] ? gradient[i] : 0.0f;
}

} // namespace ffgan
