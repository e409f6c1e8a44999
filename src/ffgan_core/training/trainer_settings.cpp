// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/trainer_settings.h"

#include "base/require.h"
#include "losses/loss.h"

#include <type_traits>

namespace ffgan {
namespace {

template <typename T> void check_range(const std::string& name, const T& value, range allowed) {
    if constexpr (std::is_same_v<T, double>) {
        switch (allowed) {
        case range::elsewhere:
            break;
        case range::not_negative:
            require(value >= 0, name + " is below 0");
            break;
        case range::unit:
            require(value >= 0 && value <= 1, name + " is not in [0, 1]");
            break;
        case range::below_one:
            require(value >= 0 && value < 1, name + " is not in [0, 1)");
            break;
        case range::inside_unit:
            require(value > 0 && value < 1, name + " is not in (0, 1)");
            break;
        }
    }
}

} // namespace

void check(const trainer_settings& settings) {
#define FFGAN_CHECK(type, name, standard, allowed)                                                 \
    check_range(#name, settings.name, range::allowed);
    FFGAN_TRAINER_SETTINGS(FFGAN_CHECK)
#undef FFGAN_CHECK
    for (const auto& [name, weight] : settings.loss_weights)
        check_range(name + "_weight", weight, range::not_negative);
    require(settings.discriminator == "program" || settings.discriminator == "table",
            "discriminator is neither program nor table");

    const bool fixed = settings.discriminator_norm == norm_statistics::fixed;
    require(fixed ? allows_fixed_norm(settings.loss) : allows_batch_norm(settings.loss),
            "the loss " + std::string(to_string(settings.loss)) + " needs " +
                (fixed ? "norms by the batch" : "fixed norms"));
    require(settings.gradient_penalty == 0 || fixed, "gradient_penalty needs fixed norms");
    require(settings.projected_weight == 0 || fixed, "projected_weight needs fixed norms");
    require(settings.imagenet_weight == 0 || fixed, "imagenet_weight needs fixed norms");
    require(settings.identity_weight == 0 || settings.projected_weight > 0,
            "identity_weight needs projected_weight");
    const bool features = settings.projected_weight > 0 || settings.imagenet_weight > 0;
    for (const auto& [name, weight] : {std::pair("matching", settings.matching_weight),
                                       std::pair("frechet", settings.frechet_weight),
                                       std::pair("perceptual", settings.perceptual_weight)})
        require(weight == 0 || features,
                std::string(name) + "_weight needs projected_weight or imagenet_weight");
}

augment_policy augment_policy_of(const trainer_settings& settings) {
    return {settings.colour, settings.translation, settings.cutout, settings.augment_share};
}

} // namespace ffgan
