// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/adam_kernel.h"

#include "kernels/pointwise.h"

namespace ffgan {

void update_adam(const adam_piece& p, float rate, float beta1, float beta2) {
    constexpr float eps = 1e-8f;
    layers::by_eights(p.size, [&](long i, auto count) {
        const auto load = [&](const float* values) {
            return layers::load_up_to_8(values + i, count);
        };
        const auto store = [&](float* values, float8 v) {
            layers::store_up_to_8(values + i, count, v);
        };
        const float8 g = load(p.gradient);
        const float8 first = near_multiply_add(beta1, load(p.first), (1 - beta1) * g);
        const float8 second = near_multiply_add(beta2, load(p.second), (1 - beta2) * g * g);
        store(p.first, first);
        store(p.second, second);
        store(p.values, load(p.values) - rate * first / (square_root(second) + eps));
    });
}

} // namespace ffgan
