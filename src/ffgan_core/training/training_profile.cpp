// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/training_profile.h"

#include "base/random.h"
#include "kernels/convolution_kernels.h"
#include "networks/architecture.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace ffgan {
namespace {

#ifndef DLIB_USE_CUDA
std::vector<float> random_values(long count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = uniform_from(counter_random(0, 0, i)) - 0.5f;
    return values;
}

template <typename function> double median_milliseconds(long repetitions, const function& f) {
    f(); // touches memory for the first time
    std::vector<double> times;
    for (long i = 0; i < repetitions; ++i) {
        const auto start = std::chrono::steady_clock::now();
        f();
        const std::chrono::duration<double, std::milli> time =
            std::chrono::steady_clock::now() - start;
        times.push_back(time.count());
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}
#endif

} // namespace

std::vector<training_times> profile_training(const std::string& network, long batch,
                                             long repetitions) {
    if (batch < 1 || repetitions < 1)
        throw std::invalid_argument("the batch and the repetitions must be at least 1");
    const std::vector<convolution_facts> all = convolutions_of(network);
    std::vector<training_times> result;
#ifndef DLIB_USE_CUDA
    for (std::size_t i = 0; i < all.size(); ++i) {
        using layers::convolution_shape;
        const convolution_facts& c = all[i];
        const convolution_shape s =
            c.transposed
                ? convolution_shape::from_map(c.in_channels, c.in_size, c.in_size, c.out_channels,
                                              c.kernel, c.stride, c.padding)
                : convolution_shape::over_image(c.in_channels, c.in_size, c.in_size, c.out_channels,
                                                c.kernel, c.stride, c.padding);
        std::vector<float> image = random_values(batch * s.channels * s.rows * s.columns);
        std::vector<float> map = random_values(batch * s.filters * s.map_rows * s.map_columns);
        std::vector<float> filters = random_values(s.filters * s.channels * s.kernel * s.kernel);
        const double images = static_cast<double>(batch);
        const double correlate = median_milliseconds(repetitions, [&] {
            layers::correlate(s, batch, {image.data()}, filters.data(), nullptr, {map.data()});
        });
        const double spread = median_milliseconds(repetitions, [&] {
            layers::spread(s, batch, {map.data()}, filters.data(), nullptr, {image.data()});
        });
        const double gradient = median_milliseconds(repetitions, [&] {
            layers::filter_gradient(s, batch, {image.data()}, {map.data()}, filters.data());
        });
        result.push_back({"conv" + std::to_string(i + 1),
                          (c.transposed ? spread : correlate) / images,
                          (c.transposed ? correlate : spread) / images, gradient / images});
    }
#endif
    return result;
}

} // namespace ffgan
