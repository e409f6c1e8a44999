// SPDX-License-Identifier: GPL-3.0-or-later
//
// The small discriminators of projected_discriminator.h: from the features of one scale to a score.

#pragma once

#include "base/shapes.h"
#include "networks/network.h"

#include <memory>

namespace ffgan {

// Throws std::invalid_argument for features that there is no head for.
std::unique_ptr<network> make_feature_head(const feature_shape& features);

} // namespace ffgan
