// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a trainer can be told. The list below is the only place in C++ that names a setting: the
// struct, the check of ranges and the keyword arguments of Python's Trainer follow from it. The
// weights of the losses that plug in are not here; they follow from generator_losses().

#pragma once

#include "base/named_tensor.h"
#include "losses/adversarial_loss.h"
#include "training/augment.h"

#include <cstdint>
#include <map>
#include <string>

namespace ffgan {

// What D's norms normalise by: the batch, or statistics that were measured once, when D began, and
// are constants since. With these D judges each image by itself, in training as it will later.
enum class norm_statistics { batch, fixed };

// The values that make sense. `elsewhere` is checked by what the setting is for.
enum class range { elsewhere, not_negative, unit, below_one, inside_unit };

// X(type, name, default, range)
#define FFGAN_TRAINER_SETTINGS(X)                                                                  \
    X(std::string, discriminator, "program", elsewhere)                                            \
    X(std::uint64_t, seed, 0, elsewhere)                                                           \
    X(double, learning_rate_g, 2e-4, inside_unit)                                                  \
    X(double, learning_rate_d, 2e-4, inside_unit)                                                  \
    X(double, beta1, 0.5, below_one)                                                               \
    X(double, beta2, 0.999, below_one)                                                             \
    X(adversarial_loss, loss, adversarial_loss::logistic, elsewhere)                               \
    X(norm_statistics, discriminator_norm, norm_statistics::batch, elsewhere)                      \
    /* one update of D from real and fake images, instead of one each */                           \
    X(bool, joint_update, false, elsewhere)                                                        \
    /* one-sided: real images get the target 1 - label_smoothing */                                \
    X(double, label_smoothing, 0, below_one)                                                       \
    X(double, dropout, 0.5, below_one)                                                             \
    /* decay of the averaged generator */                                                          \
    X(double, ema, 0.999, below_one)                                                               \
    /* augment.h */                                                                                \
    X(bool, colour, false, elsewhere)                                                              \
    X(long, translation, 0, elsewhere)                                                             \
    X(long, cutout, 0, elsewhere)                                                                  \
    X(double, augment_share, 1, unit)                                                              \
    /* weight of R1 (Mescheder et al. 2018) */                                                     \
    X(double, gradient_penalty, 0, not_negative)                                                   \
    /* of all discriminators, for G; without it D is left alone */                                 \
    X(double, adversarial_weight, 1, not_negative)                                                 \
    /* the finest levels that the anchor's pyramid leaves free; losses/pyramid_loss.h */           \
    X(int, anchor_skip, 0, elsewhere)                                                              \
    /* share of the checkerboard in G's kernels that each step removes; resize_convolution.h */    \
    X(double, smooth_upsampling, 0, unit)                                                          \
    /* of frozen_networks.h, within adversarial_weight, beside the discriminator of pixels */      \
    X(double, projected_weight, 0, not_negative)                                                   \
    X(double, imagenet_weight, 0, not_negative)                                                    \
    /* weight of R1 there, in standard deviations of the features */                               \
    X(double, projected_penalty, 0.1, not_negative)                                                \
    /* share of the pairs of which "projected" sees a part magnified, too */                       \
    X(double, projected_details, 0, unit)                                                          \
    /* of the distances of feature_distances.h, for G */                                           \
    X(double, identity_weight, 0, not_negative)                                                    \
    X(double, matching_weight, 0, not_negative)                                                    \
    X(double, frechet_weight, 0, not_negative)                                                     \
    X(double, perceptual_weight, 0, not_negative)                                                  \
    /* the frozen networks themselves: a file, and the tensors of imagenet_features.h */           \
    X(std::string, recognition, "", elsewhere)                                                     \
    X(named_tensors, imagenet, {}, elsewhere)

struct trainer_settings {
#define FFGAN_SETTING(type, name, standard, range) type name = standard;
    FFGAN_TRAINER_SETTINGS(FFGAN_SETTING)
#undef FFGAN_SETTING
    // By a loss's name; those that are not here have none.
    std::map<std::string, double> loss_weights;

    double loss_weight(const std::string& name) const {
        const auto found = loss_weights.find(name);
        return found == loss_weights.end() ? 0 : found->second;
    }
};

// Throws std::invalid_argument that names the setting which is out of its range, or which another
// one excludes.
void check(const trainer_settings& settings);

augment_policy augment_policy_of(const trainer_settings& settings);

} // namespace ffgan
