// SPDX-License-Identifier: GPL-3.0-or-later

// Convolutions in bf16 against the definition: operands rounded to 8 bits, ties to even, summed in
// double precision. Prints one line per check; exits 1 when any failed. Where the processor cannot
// do it, that is what is checked.

#include "base/random.h"
#include "checks.h"
#include "dispatch/bf16.h"
#include "dispatch/instruction_set.h"
#include "layers/packed_convolution.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <iostream>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace ffgan;
using namespace ffgan::layers;

using values = std::vector<float>;

using checks::check;
using checks::failures;

std::size_t at(long i) { return static_cast<std::size_t>(i); }

// To the nearest of the numbers with 8 bits, ties to the even one.
double rounded(float x) {
    int exponent;
    const double fraction = std::frexp(static_cast<double>(x), &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

values random_values(long count, std::uint64_t key) {
    values result(at(count));
    for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = uniform_from(counter_random(key, 0, i)) - 0.5f;
    return result;
}

// -unit, 0 and unit.
values whole_values(long count, std::uint64_t key, float unit) {
    values result = random_values(count, key);
    for (float& value : result)
        value = std::nearbyint(2.98f * value) * unit;
    return result;
}

struct layer {
    tiling how;
    values filters, bias;
};

// Images (row, column, channel) through a layer, in `parts`, `count` images together.
values run(const layer& given, precision products, const values& images, long count,
           long parts = 1) {
    const tiling& how = given.how;
    const packed_convolution convolution(how, given.filters, given.bias, false, 0, {}, {},
                                         products);
    padded_image in;
    in.make_room(how);
    padded_image out{0, 0, how.out_rows, how.out_columns, convolution.channels_written()};
    values in_memory(at(count * in.size())), out_memory(at(count * out.size()));
    std::vector<image_view> from, to;
    const float* pixel = images.data();
    for (long i = 0; i < count; ++i) {
        from.push_back(in.view(in_memory.data() + i * in.size()));
        to.push_back(out.view(out_memory.data() + i * out.size()));
        for (long row = 0; row < how.in_rows; ++row)
            for (long column = 0; column < how.in_columns; ++column, pixel += how.in_channels)
                std::copy_n(pixel, how.in_channels, from.back().at(row, column));
    }
    for (long part = 0; part < parts; ++part)
        convolution.run(from, to, part, parts);
    values result;
    for (const image_view& image : to)
        for (long row = 0; row < how.out_rows; ++row)
            for (long column = 0; column < how.out_columns; ++column)
                result.insert(result.end(), image.at(row, column),
                              image.at(row, column) + how.out_channels);
    return result;
}

// The definition, for one image, of operands that `round` is applied to.
std::vector<double> defined(const layer& given, const values& image,
                            const std::function<double(float)>& round) {
    const tiling& how = given.how;
    const convolution_shape& s = how.shape;
    const bool correlates = how.way == tiling::direction::correlate;
    std::vector<double> out(at(how.out_rows * how.out_columns * how.out_channels));
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = given.bias[i % at(how.out_channels)];
    for (long y = 0; y < s.map_rows; ++y)
        for (long x = 0; x < s.map_columns; ++x)
            for (long a = 0; a < s.kernel; ++a)
                for (long b = 0; b < s.kernel; ++b) {
                    const long row = y * s.stride + a - s.padding;
                    const long column = x * s.stride + b - s.padding;
                    if (row < 0 || row >= s.rows || column < 0 || column >= s.columns)
                        continue;
                    const long fine = row * s.columns + column, coarse = y * s.map_columns + x;
                    for (long filter = 0; filter < s.filters; ++filter)
                        for (long c = 0; c < s.channels; ++c) {
                            const double tap = round(given.filters[at(
                                ((filter * s.channels + c) * s.kernel + a) * s.kernel + b)]);
                            if (correlates)
                                out[at(coarse * s.filters + filter)] +=
                                    tap * round(image[at(fine * s.channels + c)]);
                            else
                                out[at(fine * s.channels + c)] +=
                                    tap * round(image[at(coarse * s.filters + filter)]);
                        }
                }
    return out;
}

// Largest difference as a share of the largest expected value.
double error(const values& result, const std::vector<double>& expected) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < result.size(); ++i) {
        difference = std::max(difference, std::abs(result[i] - expected[i]));
        size = std::max(size, std::abs(expected[i]));
    }
    return difference / std::max(size, 1e-30);
}

std::set<std::string> algorithms_seen;

void check_shape(const convolution_shape& s, tiling::direction way) {
    const tiling how(s, way);
    const std::string algorithm = how.minimal_filtering ? "F(" + std::to_string(how.tile) + ", " +
                                                              std::to_string(how.taps) + ")"
                                                        : "taps";
    algorithms_seen.insert(algorithm);
    const std::string name = std::to_string(s.channels) + " x " + std::to_string(s.rows) + " x " +
                             std::to_string(s.columns) + " by " + std::to_string(s.filters) +
                             " filters of " + std::to_string(s.kernel) + ", stride " +
                             std::to_string(s.stride) + ": " + algorithm;
    const long size = how.in_rows * how.in_columns * how.in_channels;
    const long taps = s.filters * s.channels * s.kernel * s.kernel;
    const auto exactly = [](float x) { return static_cast<double>(x); };

    // Such small whole numbers, and multiples of 24 in each dimension, have 8 bits also when they
    // are transformed, so that nothing is rounded but sums; but for F(5, 2), whose points are no
    // whole numbers.
    if (how.tile != 5) {
        const layer whole{how, whole_values(taps, 1, 576), whole_values(how.out_channels, 2, 1)};
        const values pixels = whole_values(size, 3, 1);
        check(name + ", whole numbers", error(run(whole, precision::bf16, pixels, 1),
                                              defined(whole, pixels, exactly)) < 3e-6);
    }

    const layer any{how, random_values(taps, 4), random_values(how.out_channels, 5)};
    const values images = random_values(3 * size, 6);
    const values first(images.begin(), images.begin() + size);
    const values together = run(any, precision::bf16, images, 3);
    const values alone(together.begin(),
                       together.begin() + how.out_rows * how.out_columns * how.out_channels);
    if (how.minimal_filtering) {
        // Operands with 8 bits are 2^-9 of them wrong, which the transforms back enlarge.
        const double rounding = error(alone, defined(any, first, exactly));
        check(name + ", any numbers", rounding > 1e-3 && rounding < (how.tile == 5   ? 0.03
                                                                     : how.tile == 4 ? 0.1
                                                                                     : 0.01));
    } else {
        check(name + ", any numbers", error(alone, defined(any, first, rounded)) < 3e-6);
    }
    check("  an image alone, in three parts, has the bytes it has in its batch",
          run(any, precision::bf16, first, 1, 3) == alone);
}

// Numbers in the middle between two with 8 bits, and those next to them.
void ties() {
    const tiling how(convolution_shape::over_image(16, 1, 1, 1, 1, 1, 0),
                     tiling::direction::correlate);
    for (const int eighths : {0, 1, 2, 3, 4, 5, 6, 7, 8})
        for (const float sign : {-1.0f, 1.0f})
            for (const long place : {0L, 1L, 15L}) {
                const float value = sign * (1 + std::ldexp(static_cast<float>(eighths), -9));
                for (const float near : {std::nextafter(value, 0.0f), value, 4 * value}) {
                    layer given{how, values(16, 0.0f), {0}};
                    values image(16, 0.0f);
                    given.filters[at(place)] = 1;
                    image[at(place)] = near;
                    const bool of_pixel = run(given, precision::bf16, image, 1)[0] == rounded(near);
                    std::swap(given.filters, image);
                    const bool of_tap = run(given, precision::bf16, image, 1)[0] == rounded(near);
                    if (!of_pixel || !of_tap)
                        check("rounding of " + std::to_string(near), false);
                }
            }
    check("the ties were tried", true);
}

// A sum has one order, that of the instructions' definition: by two fused multiply-adds a pair, the
// second value of the depth first. So it has the same bytes on every processor that keeps to it.
void order() {
    const long channels = 48, filters = 5;
    const tiling how(convolution_shape::over_image(channels, 1, 1, filters, 1, 1, 0),
                     tiling::direction::correlate);
    bool equal = true;
    for (std::uint64_t key = 10; key < 30; ++key) {
        const layer given{how, random_values(channels * filters, key), values(at(filters), 0.0f)};
        const values pixel = random_values(channels, key + 100);
        const values result = run(given, precision::bf16, pixel, 1);
        for (long filter = 0; filter < filters; ++filter) {
            float sum = 0;
            for (long pair = 0; pair < channels; pair += 2)
                for (const long c : {pair + 1, pair})
                    sum = std::fma(
                        static_cast<float>(rounded(pixel[at(c)])),
                        static_cast<float>(rounded(given.filters[at(filter * channels + c)])), sum);
            equal = equal && sum == result[at(filter)];
        }
    }
    check("the order of a sum", equal);
}

} // namespace

int main() {
    const auto correlate = tiling::direction::correlate, spread = tiling::direction::spread;
    if (!missing_for_bf16().empty()) {
        std::string told;
        try {
            run({tiling(convolution_shape::over_image(16, 1, 1, 1, 1, 1, 0), correlate),
                 values(16),
                 {0}},
                precision::bf16, values(16), 1);
        } catch (const instruction_set_error& e) {
            told = e.what();
        }
        check("refused: " + told, told.find(missing_for_bf16()) != std::string::npos);
        return failures != 0;
    }
    for (const long channels : {16L, 17L, 40L})
        for (const long size : {3L, 4L, 7L, 11L, 20L}) {
            const long filters = channels == 17 ? 33 : 16;
            check_shape(convolution_shape::over_image(channels, size + 1, size, filters, 3, 1, 1),
                        correlate);
            check_shape(
                convolution_shape::over_image(channels, 2 * size, 2 * size + 2, filters, 4, 2, 1),
                correlate);
            check_shape(convolution_shape::from_map(filters, size, size, channels, 4, 2, 1),
                        spread);
        }
    for (const long channels : {1L, 3L, 20L}) {
        check_shape(convolution_shape::over_image(channels, 9, 8, 5, 3, 3, 1), correlate);
        check_shape(convolution_shape::over_image(channels, 8, 8, 5, 5, 2, 2), correlate);
        check_shape(convolution_shape::from_map(20, 1, 1, channels, 4, 1, 0), spread);
        check_shape(convolution_shape::from_map(20, 4, 4, channels, 3, 3, 1), spread);
    }
    check_shape(convolution_shape::over_image(12, 81, 79, 17, 2, 1, 0), correlate);
    check_shape(convolution_shape::from_map(40, 40, 39, 20, 4, 2, 1), spread);
    for (const char* name :
         {"taps", "F(2, 2)", "F(3, 2)", "F(4, 2)", "F(5, 2)", "F(2, 3)", "F(4, 3)"})
        check(std::string("the shapes above have used ") + name, algorithms_seen.count(name) == 1);
    ties();
    order();
    return failures != 0;
}
