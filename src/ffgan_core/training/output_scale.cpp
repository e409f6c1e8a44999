// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/output_scale.h"

#include <cmath>
#include <numeric>

namespace ffgan {
namespace {

// The standard deviation of a discriminator's first scores: a small one means a smooth D.
constexpr double first_deviation = 0.1;

} // namespace

void initialise_output_scale(network& net, const dlib::tensor& scores, const ranks& all) {
    const long count = static_cast<long>(scores.size());
    const float* s = scores.host();
    double sums[] = {std::accumulate(s, s + count, 0.0), static_cast<double>(count)};
    all.sum(sums, 2);
    const double mean = sums[0] / sums[1];
    double variance = 0;
    for (long i = 0; i < count; ++i)
        variance += (s[i] - mean) * (s[i] - mean) / sums[1];
    all.sum(&variance, 1);
    const double scale = variance > 0 ? first_deviation / std::sqrt(variance) : 1;
    // Weights, then one bias.
    dlib::tensor& last = *net.parameter_tensors().back().values;
    float* values = last.host();
    const std::size_t bias = last.size() - 1;
    values[bias] -= static_cast<float>(mean);
    for (std::size_t i = 0; i <= bias; ++i)
        values[i] *= static_cast<float>(scale);
}

} // namespace ffgan
