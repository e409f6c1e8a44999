// SPDX-License-Identifier: GPL-3.0-or-later
//
// The projected discriminators that a trainer can have, by the frozen networks that they see
// through. A further one is a feature_network of its own, a row in frozen_networks.cpp, rows for
// its scales in networks/feature_heads.cpp, and its weight among the trainer's settings.

#pragma once

#include "training/adversary.h"
#include "training/trainer_settings.h"

#include <memory>
#include <vector>

namespace ffgan {

// Those that have a weight.
std::vector<std::unique_ptr<adversary>> make_frozen_networks(const trainer_settings& settings,
                                                             const ranks& all);

} // namespace ffgan
