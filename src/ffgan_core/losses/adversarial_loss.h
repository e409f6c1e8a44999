// SPDX-License-Identifier: GPL-3.0-or-later
//
// Losses of D and G as functions of D's scores. Where each image is judged by itself, one pass of D
// serves both. A fake's gradient for G is the one that D's loss sends to it, times
// the ratio of the two losses' slopes at its score (Shen et al. 2021, "Training generative
// adversarial networks in one stage").

#pragma once

#include "base/ranks.h"

#include <dlib/cuda/tensor.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace ffgan {

// relativistic: D tells how much more real x_i looks than G(z_i) (Jolicoeur-Martineau 2019).
enum class adversarial_loss { logistic, hinge, relativistic };

// Which loss goes with which norm of D. The relativistic one compares pairs, so D must see both in
// one pass; the one pass gets G's gradient from the slope of D's loss, and the hinge's vanishes.
constexpr bool allows_batch_norm(adversarial_loss loss) {
    return loss != adversarial_loss::relativistic;
}
constexpr bool allows_fixed_norm(adversarial_loss loss) { return loss != adversarial_loss::hinge; }

constexpr const char* to_string(adversarial_loss loss) {
    return loss == adversarial_loss::logistic ? "logistic"
           : loss == adversarial_loss::hinge  ? "hinge"
                                              : "relativistic";
}

inline double softplus(double x) {
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}
inline double logistic(double x) { return 1 / (1 + std::exp(-x)); }

struct loss_settings {
    adversarial_loss loss = adversarial_loss::logistic;
    double label_smoothing = 0; // of the logistic loss
    double penalty = 0;         // weight of R1 (Mescheder et al. 2018)
    double distance = 0.001;    // of add_signs
};

struct loss_values {
    double loss_d = 0; // on real images plus on fakes, the penalty included
    double loss_g = 0;
    double accuracy_real = 0;
    double accuracy_fake = 0;
    double penalty = 0;
};

// R1 takes so many of `count` real images, every fourth.
long penalised_images(const loss_settings& settings, long count);

// The neighbours that R1 compares these values with: to[i] = from[i] + or - distance, by random
// bits. (e . dD/dx)^2 for random signs e has the mean |dD/dx|^2 (Hutchinson 1990). The values are
// those of this rank's first `images`, `size` each.
void add_signs(const ranks& all, const float* from, long images, long size, std::uint64_t key,
               double distance, float* to);

// What a pass of one kind of images asks of their scores: D wants real images' high and fakes' low,
// G its fakes' high.
enum class score_target { real, fake, generator };

struct pass_values {
    double loss;     // mean
    double accuracy; // share of the images with the right sign
};

// The values of both functions below are means over the `whole` images of a batch, of which the
// scores are those of this rank: its part of the means, which add up.

// Of a pass of its own, with the logistic loss or the hinge (Lim and Ye 2017, "Geometric GAN").
// `gradient`, of the scores' size, receives that of the loss.
pass_values judge_pass(const loss_settings& settings, const dlib::tensor& scores, long whole,
                       score_target target, dlib::tensor& gradient);

// scores: of the real images, of as many fakes, and of the neighbours of the first real ones.
// `gradient`, of the scores' size, receives that of D's loss; `ratios` what turns a fake's gradient
// into that of G's loss.
loss_values judge(const loss_settings& settings, const dlib::tensor& scores, const ranks& all,
                  long whole, dlib::tensor& gradient, std::vector<float>& ratios);

} // namespace ffgan
