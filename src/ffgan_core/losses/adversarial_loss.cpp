// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/adversarial_loss.h"

#include "base/random.h"
#include "base/threads.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ffgan {
namespace {

constexpr long penalty_share = 4;

constexpr double lowest_advantage = 30;

// The standard deviation of a discriminator's first scores: a small one means a smooth D.
constexpr double first_deviation = 0.1;

} // namespace

long penalised_images(const loss_settings& settings, long count) {
    return settings.penalty > 0 ? (count + penalty_share - 1) / penalty_share : 0;
}

void add_signs(const float* from, long size, std::uint64_t key, double distance, float* to) {
    const std::uint64_t start = counter_start(key, 0);
    const float step = static_cast<float>(distance);
    parallel_chunks(size, [=](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            const std::uint64_t word = counter_value(start, static_cast<std::uint64_t>(i / 64));
            to[i] = from[i] + ((word >> (i % 64)) & 1 ? step : -step);
        }
    });
}

loss_values judge(const loss_settings& settings, const dlib::tensor& scores, long count,
                  dlib::tensor& gradient, std::vector<float>& ratios) {
    loss_values result;
    ratios.resize(static_cast<std::size_t>(count));
    const float* s = scores.host();
    float* g = gradient.host_write_only();
    const double n = static_cast<double>(count), smooth = settings.label_smoothing;
    for (long i = 0; i < count; ++i) {
        const double x = s[i], fake = s[count + i];
        double advantage = fake; // of the fake, that D's loss wants small and G's wants large
        if (settings.loss == adversarial_loss::relativistic) {
            advantage = fake - x;
            g[i] = static_cast<float>(-logistic(advantage) / n);
            result.accuracy_real += (x > fake) / n;
        } else {
            result.accuracy_real += (x > 0) / n;
            result.loss_d += ((1 - smooth) * softplus(-x) + smooth * softplus(x)) / n;
            g[i] = static_cast<float>((smooth * logistic(x) - (1 - smooth) * logistic(-x)) / n);
        }
        result.accuracy_fake += (advantage < 0) / n;
        result.loss_d += softplus(advantage) / n;
        result.loss_g += softplus(-advantage) / n;
        // So far from 0 neither slope is worth anything, and the ratio would be beyond float32.
        const double bounded = std::clamp(advantage, -lowest_advantage, lowest_advantage);
        g[count + i] = static_cast<float>(logistic(bounded) / n);
        ratios[static_cast<std::size_t>(i)] = static_cast<float>(-std::exp(-bounded));
    }
    const long penalised = penalised_images(settings, count);
    const double weight = settings.penalty / (settings.distance * settings.distance) /
                          std::max(1.0, static_cast<double>(penalised));
    for (long i = 0; i < penalised; ++i) {
        const double difference = static_cast<double>(s[2 * count + i]) - s[i];
        result.penalty += 0.5 * weight * difference * difference;
        g[2 * count + i] = static_cast<float>(weight * difference);
        g[i] -= static_cast<float>(weight * difference);
    }
    result.loss_d += result.penalty;
    return result;
}

void calm_scores(network& net, const dlib::tensor& scores) {
    const long count = static_cast<long>(scores.size());
    const float* s = scores.host();
    const double mean = std::accumulate(s, s + count, 0.0) / static_cast<double>(count);
    double variance = 0;
    for (long i = 0; i < count; ++i)
        variance += (s[i] - mean) * (s[i] - mean) / static_cast<double>(count);
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
