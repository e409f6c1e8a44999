// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/gradient_sum.h"

#include "base/threads.h"

#include <algorithm>
#include <cstddef>

namespace ffgan {

void gradient_sum::add_up(const std::vector<layer_parameters>& layers) {
    if (all_.alone())
        return;
    long total = 0;
    for (const layer_parameters& layer : layers)
        total += static_cast<long>(layer.gradient->size());
    const long count = all_.count(), length = (total + count - 1) / count;
    const std::size_t bytes = static_cast<std::size_t>(length) * sizeof(float);
    parts_.resize(static_cast<std::size_t>(length * count));
    received_.resize(parts_.size());
    const auto each = [&](auto&& f) { // f(layer, offset)
        std::vector<long> offsets{0};
        for (const layer_parameters& layer : layers)
            offsets.push_back(offsets.back() + static_cast<long>(layer.gradient->size()));
        parallel_chunks(static_cast<long>(layers.size()), [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                f(*layers[static_cast<std::size_t>(i)].gradient,
                  parts_.data() + offsets[static_cast<std::size_t>(i)]);
        });
    };
    each([](dlib::tensor& gradient, float* place) {
        std::copy_n(gradient.host(), gradient.size(), place);
    });
    std::fill(parts_.begin() + total, parts_.end(), 0.0f);
    all_.all()->exchange(parts_.data(), bytes, received_.data());
    float* sums = received_.data(); // in the place of the first rank's part
    parallel_chunks(length, [=](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            double sum = sums[i];
            for (long rank = 1; rank < count; ++rank)
                sum += sums[rank * length + i];
            sums[i] = static_cast<float>(sum);
        }
    });
    all_.all()->gather(sums, bytes, parts_.data());
    each([](dlib::tensor& gradient, const float* place) {
        std::copy_n(place, gradient.size(), gradient.host_write_only());
    });
}

} // namespace ffgan
