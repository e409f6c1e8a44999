// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/pixel_kernels.h"

#include "kernels/exponential.h"
#include "kernels/pointwise.h"

#include <algorithm>

namespace ffgan {

void sigmoid_values(long n, float* values) {
    layers::by_eights(n, [&](long i, auto count) {
        layers::store_up_to_8(values + i, count, sigmoid8(layers::load_up_to_8(values + i, count)));
    });
}

void softmax(long n, const float* values, float* probabilities) {
    const float8 largest = broadcast8(*std::max_element(values, values + n));
    layers::by_eights(n, [&](long i, auto count) {
        layers::store_up_to_8(probabilities + i, count,
                              exp8(layers::load_up_to_8(values + i, count) - largest));
    });
    float sum = 0;
    for (long i = 0; i < n; ++i)
        sum += probabilities[i];
    for (long i = 0; i < n; ++i)
        probabilities[i] /= sum;
}

void unit_to_pixels(long n, const float* __restrict values, std::uint8_t* __restrict pixels) {
    layers::by_eights(n, [&](long i, auto count) {
        float levels[8];
        store8(levels,
               multiply_add(255.0f, layers::load_up_to_8(values + i, count), broadcast8(0.5f)));
        for (long k = 0; k < count; ++k)
            pixels[i + k] = static_cast<std::uint8_t>(static_cast<int>(levels[k]));
    });
}

void pixels_to_floats(long n, const std::uint8_t* __restrict pixels, float scale,
                      float* __restrict values) {
    for (long i = 0; i < n; ++i)
        values[i] = static_cast<float>(pixels[i]) * scale;
}

} // namespace ffgan
