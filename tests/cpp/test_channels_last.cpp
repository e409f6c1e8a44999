// SPDX-License-Identifier: GPL-3.0-or-later

// What is computed on values whose channels lie side by side, with a norm, an activation and
// dropout pending, against the same in dlib's order with all of that applied: the bytes must be
// equal. Prints one line per check; exits 1 when any failed.

#include "base/random.h"
#include "base/threads.h"
#include "checks.h"
#include "kernels/convolution_kernels.h"
#include "kernels/dropout_kernels.h"
#include "kernels/norm_channels_last.h"

#include <cmath>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace ffgan;
using namespace ffgan::layers;
using floats = std::vector<float>;

using checks::check;
using checks::failures;

std::size_t count(long n) { return static_cast<std::size_t>(n); }

floats random_values(long n, std::uint64_t key) {
    floats values(count(n));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = uniform_from(counter_random(key, 0, i)) - 0.5f;
    return values;
}

bool same(const floats& a, const floats& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

long size_of(const norm_shape& s) { return s.samples * s.channels * s.places; }

// From dlib's order, one value at a time.
floats reordered(const norm_shape& s, const floats& planes) {
    floats result(planes.size());
    for (long n = 0; n < s.samples; ++n)
        for (long c = 0; c < s.channels; ++c)
            for (long i = 0; i < s.places; ++i)
                result[count((n * s.places + i) * s.channels + c)] =
                    planes[count((n * s.channels + c) * s.places + i)];
    return result;
}

// A norm with what surrounds it, in both orders.
struct norm {
    norm(const norm_shape& shape, bool masked, float before, float after)
        : means(random_values(shape.channels, 11)), scales(random_values(shape.channels, 12)),
          shifts(random_values(shape.channels, 13)), mask(count((size_of(shape) + 63) / 64)),
          mask_last(mask) {
        dropout_mask(5, 0.3f, size_of(shape), mask.data());
        mask_channels_last(shape, mask.data(), mask_last.data());
        around = {before, after, masked ? mask.data() : nullptr, 0.75f};
        pending = {around, means.data(), scales.data(), shifts.data()};
        if (masked)
            pending.around.mask = mask_last.data();
    }
    floats applied(const norm_shape& shape, const floats& planes) const {
        floats result(planes.size());
        normalize(shape, around, planes.data(), means.data(), scales.data(), shifts.data(),
                  result.data());
        return result;
    }

    floats means, scales, shifts;
    std::vector<std::uint64_t> mask, mask_last;
    norm_surroundings around;
    pending_norm pending;
};

void convolutions() {
    for (const long size : {3L, 7L, 20L})
        for (const long channels : {16L, 40L})
            for (const long filters : {16L, 24L})
                for (const long kernel : {1L, 3L, 4L}) {
                    const long stride = kernel == 4 ? 2 : 1, samples = 3;
                    const auto s = convolution_shape::over_image(channels, size, size, filters,
                                                                 kernel, stride, kernel / 2);
                    const norm_shape fine{samples, channels, size * size};
                    const norm_shape coarse{samples, filters, s.map_rows * s.map_columns};
                    const floats weights = random_values(filters * channels * kernel * kernel, 1);
                    const floats bias = random_values(filters, 2);
                    const floats image = random_values(size_of(fine), 3);
                    const floats map = random_values(size_of(coarse), 4);
                    const norm of_image(fine, true, 1, 0.2f), of_map(coarse, false, 1, 0);
                    const floats applied_image = of_image.applied(fine, image);
                    const floats applied_map = of_map.applied(coarse, map);
                    const floats image_last = reordered(fine, image);
                    const floats map_last = reordered(coarse, map);
                    const layer_values from_image{image_last.data(), true, &of_image.pending};
                    const layer_values from_map{map_last.data(), true, &of_map.pending};
                    std::ostringstream name;
                    name << kernel << "x" << kernel << " over " << size << "x" << size << ", "
                         << channels << " channels, " << filters << " filters: ";

                    floats expected(map.size()), found(map.size());
                    correlate(s, samples, {applied_image.data()}, weights.data(), bias.data(),
                              {expected.data()});
                    correlate(s, samples, from_image, weights.data(), bias.data(),
                              {found.data(), true});
                    check(name.str() + "correlate", same(found, reordered(coarse, expected)));

                    expected.resize(image.size());
                    found.resize(image.size());
                    spread(s, samples, {applied_map.data()}, weights.data(), nullptr,
                           {expected.data()});
                    spread(s, samples, from_map, weights.data(), nullptr, {found.data(), true});
                    check(name.str() + "spread", same(found, reordered(fine, expected)));

                    expected.resize(weights.size());
                    found.resize(weights.size());
                    filter_gradient(s, samples, {applied_image.data()}, {applied_map.data()},
                                    expected.data());
                    filter_gradient(s, samples, from_image, from_map, found.data());
                    check(name.str() + "filter gradient", same(found, expected));
                }
}

void norms() {
    for (const norm_shape shape : {norm_shape{1, 8, 1}, {3, 24, 9}, {2, 64, 529}, {2, 128, 1600}})
        for (const float before : {1.0f, 0.2f})
            for (const bool masked : {false, true}) {
                const norm all(shape, masked, before, 0.2f);
                const floats input = random_values(size_of(shape), 21);
                const floats input_last = reordered(shape, input);
                const std::size_t channels = count(shape.channels);
                std::ostringstream name;
                name << shape.samples << "x" << shape.channels << "x" << shape.places << " slope "
                     << before << (masked ? " masked" : "") << ": ";

                // By the batch's statistics, whose passes take them of the activated input.
                const double eps = 1e-4;
                floats output(input.size()), means(channels), invstds(channels);
                std::vector<double> mean(channels), variance(channels), mean_last(channels),
                    variance_last(channels);
                normalize_batch(shape, all.around, eps, all.scales.data(), all.shifts.data(),
                                input.data(), mean.data(), variance.data(), means.data(),
                                invstds.data(), output.data());
                statistics_channels_last(shape, before, input_last.data(), mean_last.data(),
                                         variance_last.data());
                check(name.str() + "statistics", mean == mean_last && variance == variance_last);

                for (const bool batch : {true, false}) {
                    floats gradient = random_values(size_of(shape), 22);
                    floats gradient_last = reordered(shape, gradient);
                    floats of_gamma(channels), of_beta(channels), of_gamma_last(channels),
                        of_beta_last(channels), scales(channels);
                    for (std::size_t c = 0; c < channels; ++c)
                        scales[c] = all.scales[c] * invstds[c];
                    normalize_backward(shape, all.around, batch, input.data(), gradient.data(),
                                       means.data(), invstds.data(), all.scales.data(),
                                       all.shifts.data(), false, gradient.data(), of_gamma.data(),
                                       of_beta.data());
                    const pending_norm pending{all.pending.around, means.data(), scales.data(),
                                               all.shifts.data()};
                    norm_gradient_channels_last(shape, pending, batch, input_last.data(),
                                                invstds.data(), gradient_last.data(),
                                                of_gamma_last.data(), of_beta_last.data());
                    check(name.str() + (batch ? "gradients" : "gradients, fixed statistics"),
                          same(gradient_last, reordered(shape, gradient)) &&
                              of_gamma == of_gamma_last && of_beta == of_beta_last);
                }

                floats sums(channels), sums_last(channels);
                bias_gradient(shape.samples, shape.channels, shape.places, input.data(),
                              sums.data());
                bias_gradient_channels_last(shape, input_last.data(), sums_last.data());
                check(name.str() + "sums", sums == sums_last);
            }
}

// The layers with few channels have algorithms of their own; in double precision.
void few_channels() {
    for (const long padding : {0L, 1L})
        for (const long size : {4L, 5L, 22L}) {
            const long samples = 2, channels = 3, filters = 24;
            const auto s =
                convolution_shape::from_map(filters, size, size, channels, 4, 2, padding);
            const norm_shape coarse{samples, filters, size * size};
            const floats weights = random_values(filters * channels * 16, 1);
            const floats bias = random_values(channels, 2);
            const floats map = random_values(size_of(coarse), 3);
            const norm of_map(coarse, true, 1, 0.2f);
            const floats applied = of_map.applied(coarse, map);
            const floats map_last = reordered(coarse, map);
            std::vector<double> expected(count(samples * channels * s.rows * s.columns));
            for (std::size_t i = 0; i < expected.size(); ++i)
                expected[i] = bias[i / count(s.rows * s.columns) % count(channels)];
            for (long n = 0; n < samples; ++n)
                for (long f = 0; f < filters; ++f)
                    for (long c = 0; c < channels; ++c)
                        for (long y = 0; y < size; ++y)
                            for (long x = 0; x < size; ++x)
                                for (long tap = 0; tap < 16; ++tap) {
                                    const long row = 2 * y + tap / 4 - padding;
                                    const long column = 2 * x + tap % 4 - padding;
                                    if (row < 0 || row >= s.rows || column < 0 ||
                                        column >= s.columns)
                                        continue;
                                    expected[count(((n * channels + c) * s.rows + row) * s.columns +
                                                   column)] +=
                                        static_cast<double>(applied[count(
                                            (n * filters + f) * size * size + y * size + x)]) *
                                        weights[count((f * channels + c) * 16 + tap)];
                                }
            floats found(expected.size(), std::nanf(""));
            spread(s, samples, {map_last.data(), true, &of_map.pending}, weights.data(),
                   bias.data(), {found.data()});
            double worst = 0;
            for (std::size_t i = 0; i < expected.size(); ++i)
                worst =
                    std::isnan(found[i]) ? 1 : std::max(worst, std::abs(found[i] - expected[i]));
            std::ostringstream name;
            name << "squares of pixels from " << size << "x" << size << ", padding " << padding;
            // Without fused products each of them is rounded once more.
            check(name.str(), worst < 3e-6);
        }
}

} // namespace

int main() {
    for (const long n : {1L, 3L}) {
        set_threads(n);
        convolutions();
        norms();
        few_channels();
    }
    std::cout << (failures ? "FAILED" : "all passed") << std::endl;
    return failures != 0;
}
