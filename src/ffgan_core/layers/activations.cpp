// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/activations.h"

#ifndef DLIB_USE_CUDA

#include "base/exponential.h"
#include "base/threads.h"
#include "kernels/pointwise.h"

#include <algorithm>

namespace ffgan::layers::detail {
namespace {

// f(begin, end) on parts of [0, n) in parallel; a small tensor is not worth waking a thread for.
template <class F> void for_elements(long n, F&& f) {
    constexpr long worth_a_thread = 16 * 1024;
    if (n < 2 * worth_a_thread)
        f(0, n);
    else
        parallel_chunks(n, [&](long, long begin, long end) { f(begin, end); });
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
            float8 rest = {};
            std::memcpy(&rest, input + i, static_cast<std::size_t>(end - i) * sizeof(float));
            rest = sigmoid8(rest);
            std::memcpy(output + i, &rest, static_cast<std::size_t>(end - i) * sizeof(float));
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

} // namespace ffgan::layers::detail

#endif
