// SPDX-License-Identifier: GPL-3.0-or-later

// Convolutions made from tiles against the definition, in double precision: both directions and the
// gradient of the filters, over odd shapes and every tile size. Prints one line per check; exits 1
// when any failed.

#include "base/random.h"
#include "base/threads.h"
#include "checks.h"
#include "inference/chains.h"
#include "inference/feed_forward.h"
#include "kernels/convolution_kernels.h"
#include "kernels/tiled_convolution.h"
#include "networks/architecture.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace ffgan;
using namespace ffgan::layers;

using checks::check;
using checks::failures;

std::vector<float> random_values(long count, std::uint64_t key) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = uniform_from(counter_random(key, 0, i)) - 0.5f;
    return values;
}

// Calls f(image element, map element, filter element) for every product of a convolution.
template <class F> void each_product(const convolution_shape& s, long samples, const F& f) {
    for (long n = 0; n < samples; ++n)
        for (long filter = 0; filter < s.filters; ++filter)
            for (long y = 0; y < s.map_rows; ++y)
                for (long x = 0; x < s.map_columns; ++x)
                    for (long c = 0; c < s.channels; ++c)
                        for (long a = 0; a < s.kernel; ++a)
                            for (long b = 0; b < s.kernel; ++b) {
                                const long row = y * s.stride + a - s.padding;
                                const long column = x * s.stride + b - s.padding;
                                if (row < 0 || row >= s.rows || column < 0 || column >= s.columns)
                                    continue;
                                f(((n * s.channels + c) * s.rows + row) * s.columns + column,
                                  ((n * s.filters + filter) * s.map_rows + y) * s.map_columns + x,
                                  ((filter * s.channels + c) * s.kernel + a) * s.kernel + b);
                            }
}

// Largest difference as a share of the largest expected value.
double error(const std::vector<float>& values, const std::vector<double>& expected) {
    double difference = 0;
    double size = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        difference = std::max(difference, std::abs(values[i] - expected[i]));
        size = std::max(size, std::abs(expected[i]));
    }
    return difference / std::max(size, 1e-30);
}

std::set<std::string> algorithms_seen;

std::string algorithm(const tiling& how) {
    std::ostringstream name;
    if (how.minimal_filtering)
        name << "F(" << how.tile << ", " << how.taps << ")";
    else
        name << "taps";
    algorithms_seen.insert(name.str());
    return name.str();
}

void check_shape(const convolution_shape& s, long samples) {
    std::ostringstream text;
    text << samples << " x " << s.channels << " x " << s.rows << " x " << s.columns << " by "
         << s.filters << " filters of " << s.kernel << ", stride " << s.stride << ", padding "
         << s.padding;
    const long image_size = samples * s.channels * s.rows * s.columns;
    const long map_size = samples * s.filters * s.map_rows * s.map_columns;
    const auto image = random_values(image_size, 1);
    const auto map = random_values(map_size, 2);
    const auto filters = random_values(s.filters * s.channels * s.kernel * s.kernel, 3);
    const auto bias = random_values(std::max(s.filters, s.channels), 4);

    std::vector<double> correlated(map.begin(), map.end());
    std::vector<double> spread(image.begin(), image.end());
    std::vector<double> gradient(filters.size(), 0.0);
    each_product(s, samples, [&](long i, long m, long f) {
        const auto at = [](long n) { return static_cast<std::size_t>(n); };
        correlated[at(m)] += static_cast<double>(image[at(i)]) * filters[at(f)];
        spread[at(i)] += static_cast<double>(map[at(m)]) * filters[at(f)];
        gradient[at(f)] += static_cast<double>(image[at(i)]) * map[at(m)];
    });
    const long places = s.map_rows * s.map_columns;
    for (std::size_t i = 0; i < correlated.size(); ++i)
        correlated[i] +=
            bias[i / static_cast<std::size_t>(places) % static_cast<std::size_t>(s.filters)];

    const tiling forward(s, tiling::direction::correlate);
    const tiling backward(s, tiling::direction::spread);
    // F(4, r) multiplies by 8 in each dimension, F(5, 2) by 16, and both divide by 6 or 24.
    const auto tolerance = [](const tiling& how) { return how.tile >= 4 ? 3e-5 : 3e-6; };

    std::vector<float> result = map; // added to
    convolve(forward, samples, {image.data()}, filters.data(), bias.data(),
             {result.data(), false, true});
    check(text.str() + ": " + algorithm(forward), error(result, correlated) < tolerance(forward));
    std::vector<float> other = image;
    convolve(backward, samples, {map.data()}, filters.data(), nullptr, {other.data(), false, true});
    check("  its adjoint: " + algorithm(backward), error(other, spread) < tolerance(backward));
    std::vector<float> sums(filters.size(), std::nanf(""));
    filter_gradient(s, samples, {image.data()}, {map.data()}, sums.data());
    check("  the gradient of its filters", error(sums, gradient) < tolerance(forward));

    // The last sample alone, on another number of threads.
    const long before = threads();
    set_threads(5);
    const long one_map = s.filters * places;
    std::vector<float> alone(map.end() - one_map, map.end());
    convolve(forward, 1, {image.data() + image_size - image_size / samples}, filters.data(),
             bias.data(), {alone.data(), false, true});
    check("  a sample alone has the bytes it has in its batch",
          std::memcmp(alone.data(), result.data() + map_size - one_map,
                      alone.size() * sizeof(float)) == 0);
    set_threads(before);
}

void shapes() {
    for (long samples = 1; samples <= 3; ++samples)
        for (const long size : {3L, 4L, 5L, 7L, 11L, 20L})
            for (const long channels : {16L, 17L, 40L}) {
                const long filters = channels == 17 ? 33 : 16;
                check_shape(convolution_shape::over_image(channels, size, size, filters, 3, 1, 1),
                            samples);
                check_shape(convolution_shape::over_image(channels, size + 1, size, filters, 3, 1,
                                                          size % 2 == 0 ? 0 : 2),
                            samples);
                check_shape(
                    convolution_shape::over_image(channels, 2 * size, 2 * size, filters, 4, 2, 1),
                    samples);
                check_shape(convolution_shape::over_image(channels, 2 * size + 1, 2 * size + 2,
                                                          filters, 4, 2, 0),
                            samples);
            }
    for (const long channels : {1L, 3L, 20L}) {
        check_shape(convolution_shape::over_image(channels, 9, 8, 5, 3, 3, 1), 2);
        check_shape(convolution_shape::over_image(channels, 9, 11, 18, 3, 2, 1), 2);
        check_shape(convolution_shape::over_image(channels, 8, 8, 5, 5, 2, 2), 2);
        check_shape(convolution_shape::over_image(channels, 20, 20, 20, 6, 3, 2), 2);
        check_shape(convolution_shape::over_image(channels, 3, 3, 3, 1, 1, 0), 2);
        check_shape(convolution_shape::from_map(20, 1, 1, channels, 4, 1, 0), 3);
        check_shape(convolution_shape::from_map(20, 4, 4, channels, 3, 3, 1), 3);
    }
    check_shape(convolution_shape::over_image(24, 12, 12, 24, 4, 2, 1), 70);
    check_shape(convolution_shape::over_image(24, 10, 10, 24, 3, 1, 0), 70);
    check_shape(convolution_shape::over_image(12, 81, 79, 17, 2, 1, 0), 1);
    check_shape(convolution_shape::over_image(20, 78, 83, 16, 4, 2, 1), 1);
    for (const char* name :
         {"taps", "F(2, 2)", "F(3, 2)", "F(4, 2)", "F(5, 2)", "F(2, 3)", "F(4, 3)"})
        check(std::string("the shapes above have used ") + name, algorithms_seen.count(name) == 1);
}

named_tensors random_parameters(const std::string& network) {
    named_tensors parameters;
    std::uint64_t key = 0;
    for (const auto& [name, shape] : parameter_shapes(network)) {
        long size = 1;
        for (const long n : shape)
            size *= n;
        parameters[name] = {shape, random_values(size, ++key)};
        for (float& value : parameters[name].values)
            value = name.find("running_var") != std::string::npos ? 1 + value : value * 0.1f;
    }
    return parameters;
}

// Many threads that share a chain, on few cores: the same bytes as one after the other.
void many_callers() {
    const auto chain = make_generator_chain(random_parameters("generator"));
    const long values = 81 * 81 * 12;
    const auto image = [&](long batch, long first) {
        std::vector<float> result(static_cast<std::size_t>(batch * values));
        chain->run(
            batch,
            [&](long i, float* input) {
                const auto latents = random_values(100, static_cast<std::uint64_t>(first + i));
                std::copy(latents.begin(), latents.end(), input);
            },
            [&](long i, const image_view& output, long begin, long end) {
                for (long row = begin; row < end; ++row)
                    for (long column = 0; column < 81; ++column)
                        std::copy_n(output.at(row, column), 12,
                                    result.data() + i * values + (row * 81 + column) * 12);
            });
        return result;
    };
    set_threads(1);
    const std::vector<float> expected = image(12, 0);
    for (const long cores : {1L, 2L, 3L, 8L}) {
        set_threads(cores);
        check("a batch on " + std::to_string(cores) + " cores", image(12, 0) == expected);
        std::atomic<long> right{0};
        std::vector<std::thread> callers;
        for (long i = 0; i < 12; ++i)
            callers.emplace_back([&, i] {
                const std::vector<float> one = image(1, i);
                right += std::equal(one.begin(), one.end(), expected.begin() + i * values);
            });
        for (std::thread& caller : callers)
            caller.join();
        check("twelve callers at once on " + std::to_string(cores) + " cores", right == 12);
    }
}

void cores() {
    set_threads(3);
    std::atomic<long> taken{0}, most{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 20; ++i)
        callers.emplace_back([&] {
            for (int k = 0; k < 50; ++k) {
                const core_share share;
                const long now = taken += share.count();
                for (long seen = most; now > seen && !most.compare_exchange_weak(seen, now);)
                    ;
                std::this_thread::yield();
                taken -= share.count();
            }
        });
    for (std::thread& caller : callers)
        caller.join();
    check("callers never hold more cores than there are", most <= 3 && taken == 0);
    const core_share all;
    check("a single caller has all of them", all.count() == 3);
}

void refusals() {
    named_tensors parameters = random_parameters("generator");
    parameters.erase("norm3.bias");
    bool refused = false;
    try {
        make_generator_chain(parameters);
    } catch (const std::invalid_argument& error) {
        refused = std::string(error.what()).find("norm3.bias") != std::string::npos;
    }
    check("a missing parameter is named", refused);
}

} // namespace

int main() {
    set_threads(2);
    shapes();
    many_callers();
    cores();
    refusals();
    std::cout << (failures == 0 ? "all checks passed" : "some checks FAILED") << std::endl;
    return failures == 0 ? 0 : 1;
}
