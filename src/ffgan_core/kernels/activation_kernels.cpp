// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/activation_kernels.h"

#include "base/threads.h"
#include "kernels/exponential.h"
#include "kernels/pointwise.h"

#include <algorithm>

namespace ffgan::layers {
namespace {

// f(begin, end) on parts of [0, n) in parallel; a small tensor is not worth waking a thread for.
template <class F> void for_elements(long n, F&& f) {
    constexpr long worth_a_thread = 16 * 1024;
    if (n < 2 * worth_a_thread)
        f(0, n);
    else
        parallel_chunks(n, [&](long, long begin, long end) { f(begin, end); });
}

// f(i, count) for every eight of n elements and the rest, in parallel.
template <class F> void by_eights_in_parallel(long n, F&& f) {
    constexpr long grain = 64; // elements
    parallel_chunks((n + grain - 1) / grain, [&](long, long first, long last) {
        const long begin = first * grain;
        by_eights(std::min(n, last * grain) - begin,
                  [&](long i, auto count) { f(begin + i, count); });
    });
}

} // namespace

void leaky_relu_forward(long n, float slope, const float* input, float* output) {
    for_elements(n, [=](long begin, long end) {
        long i = begin;
        for (; i + 8 <= end; i += 8)
            store8(output + i, leaky8(load8(input + i), load8(input + i), slope));
        for (; i < end; ++i)
            output[i] = input[i] > 0 ? input[i] : slope * input[i];
    });
}

void leaky_relu_backward(long n, float slope, const float* output, const float* gradient, bool add,
                         float* data_gradient) {
    for_elements(n, [=](long begin, long end) {
        long i = begin;
        for (; i + 8 <= end; i += 8) {
            const float8 g = leaky8(load8(output + i), load8(gradient + i), slope);
            store8(data_gradient + i, add ? load8(data_gradient + i) + g : g);
        }
        for (; i < end; ++i) {
            const float g = output[i] > 0 ? gradient[i] : slope * gradient[i];
            data_gradient[i] = add ? data_gradient[i] + g : g;
        }
    });
}

void sigmoid_forward(long n, const float* input, float* output) {
    for_elements(n, [&](long begin, long end) {
        long i = begin;
        for (; i + 8 <= end; i += 8)
            store8(output + i, sigmoid8(load8(input + i)));
        if (i < end) {
            // The tail goes through the same arithmetic as the rest.
            store_up_to_8(output + i, end - i, sigmoid8(load_up_to_8(input + i, end - i)));
        }
    });
}

void sigmoid_backward(long n, const float* output, const float* gradient, bool add,
                      float* data_gradient) {
    for_elements(n, [&](long begin, long end) {
        if (add)
            for (long i = begin; i < end; ++i)
                data_gradient[i] += gradient[i] * output[i] * (1 - output[i]);
        else
            for (long i = begin; i < end; ++i)
                data_gradient[i] = gradient[i] * output[i] * (1 - output[i]);
    });
}

void leaky_relu_dropout_forward(long n, float slope, const std::uint64_t* mask, float factor,
                                const float* input, float* output) {
    by_eights_in_parallel(n, [=](long i, auto count) {
        float8 v = load_up_to_8(input + i, count);
        v = leaky8(v, v, slope);
        if (mask)
            v = kept(mask_bits(mask, i, count), v);
        store_up_to_8(output + i, count, v * factor);
    });
}

void leaky_relu_dropout_backward(long n, float slope, const std::uint64_t* mask, float factor,
                                 const float* output, const float* gradient, bool add,
                                 float* data_gradient) {
    by_eights_in_parallel(n, [=](long i, auto count) {
        float8 v = load_up_to_8(gradient + i, count);
        if (mask)
            v = kept(mask_bits(mask, i, count), v);
        // What is kept has the sign it had before.
        v = leaky8(load_up_to_8(output + i, count), v, slope) * factor;
        if (add)
            v += load_up_to_8(data_gradient + i, count);
        store_up_to_8(data_gradient + i, count, v);
    });
}

} // namespace ffgan::layers
