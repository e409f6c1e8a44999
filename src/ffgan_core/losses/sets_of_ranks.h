// SPDX-License-Identifier: GPL-3.0-or-later
//
// Distances of whole sets of samples where several ranks share the images of a step: each gives its
// own samples, all know those of all, and each gets the gradient of its own.

#pragma once

#include "base/ranks.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ffgan {

// Calls step(real, real_count, fakes, fake_count, gradient) with the samples, rows of `size`
// numbers, of all ranks, and returns what it returns. Each rank gives its own of the `whole` real
// and generated ones. The first `paired` fakes are not passed on, and their gradient is left alone.
template <typename function>
double step_of_all(const float* real, const float* fakes, const ranks& all, long whole, long paired,
                   long size, float* gradient, const function& step) {
    const long free = whole - paired;
    if (all.alone())
        return step(real, whole, fakes + paired * size, free, gradient + paired * size);
    const std::vector<float> all_real = all.gather_rows(real, whole, size);
    const std::vector<float> all_fakes = all.gather_rows(fakes, whole, size);
    std::vector<float> of_free(static_cast<std::size_t>(free * size));
    const double value =
        step(all_real.data(), whole, all_fakes.data() + paired * size, free, of_free.data());
    for (long i = all.own(paired); i < all.own(whole); ++i)
        std::copy_n(of_free.begin() + (all.place(i) - paired) * size, size, gradient + i * size);
    return value;
}

} // namespace ffgan
