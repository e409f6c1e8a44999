// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/adversarial_loss.h"

#include "base/random.h"
#include "base/threads.h"

#include <algorithm>
#include <cmath>

namespace ffgan {
namespace {

constexpr long penalty_share = 4;

constexpr double lowest_advantage = 30;

} // namespace

long penalised_images(const loss_settings& settings, long count) {
    return settings.penalty > 0 ? (count + penalty_share - 1) / penalty_share : 0;
}

void add_signs(const ranks& all, const float* from, long images, long size, std::uint64_t key,
               double distance, float* to) {
    const std::uint64_t start = counter_start(key, 0);
    const float step = static_cast<float>(distance);
    parallel_chunks(images * size, [=, &all](long, long begin, long end) {
        for (long i = begin; i < end;) {
            const long image = i / size, last = std::min(end, (image + 1) * size);
            const long shift = (all.place(image) - image) * size;
            for (; i < last; ++i) {
                const long bit = i + shift; // of all images
                const std::uint64_t word =
                    counter_value(start, static_cast<std::uint64_t>(bit / 64));
                to[i] = from[i] + ((word >> (bit % 64)) & 1 ? step : -step);
            }
        }
    });
}

pass_values judge_pass(const loss_settings& settings, const dlib::tensor& scores, long whole,
                       score_target target, dlib::tensor& gradient) {
    const long count = static_cast<long>(scores.num_samples());
    const double n = static_cast<double>(whole);
    const double sign = target == score_target::fake ? -1 : 1; // of the score that is asked for
    const double smooth = target == score_target::real ? settings.label_smoothing : 0;
    double loss = 0;
    long correct = 0;
    const float* s = scores.host();
    float* g = gradient.host_write_only();
    for (long i = 0; i < count; ++i) {
        double slope = 0;
        if (settings.loss == adversarial_loss::logistic) {
            loss += (1 - smooth) * softplus(-sign * s[i]) + smooth * softplus(sign * s[i]);
            slope = sign * (smooth * logistic(sign * s[i]) - (1 - smooth) * logistic(-sign * s[i]));
        } else if (target == score_target::generator) {
            loss += -s[i];
            slope = -1;
        } else {
            loss += std::max(0.0, 1 - sign * s[i]);
            slope = sign * s[i] < 1 ? -sign : 0;
        }
        g[i] = static_cast<float>(slope / n);
        correct += sign * s[i] > 0;
    }
    return {loss / n, static_cast<double>(correct) / n};
}

loss_values judge(const loss_settings& settings, const dlib::tensor& scores, const ranks& all,
                  long whole, dlib::tensor& gradient, std::vector<float>& ratios) {
    loss_values result;
    const long count = all.own(whole);
    ratios.resize(static_cast<std::size_t>(count));
    const float* s = scores.host();
    float* g = gradient.host_write_only();
    const double n = static_cast<double>(whole), smooth = settings.label_smoothing;
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
    const long penalised = penalised_images(settings, whole);
    const double weight = settings.penalty / (settings.distance * settings.distance) /
                          std::max(1.0, static_cast<double>(penalised));
    for (long i = 0; i < all.own(penalised); ++i) {
        const double difference = static_cast<double>(s[2 * count + i]) - s[i];
        result.penalty += 0.5 * weight * difference * difference;
        g[2 * count + i] = static_cast<float>(weight * difference);
        g[i] -= static_cast<float>(weight * difference);
    }
    result.loss_d += result.penalty;
    return result;
}

} // namespace ffgan
