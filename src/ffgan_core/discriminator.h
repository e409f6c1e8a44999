// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pixels to scores: the judge of candidates. Dropout is off and batch norm runs on stored
// statistics, so that an image has one score, whatever it is judged together with.

#pragma once

#include "network.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace ffgan {

class discriminator {
  public:
    // name: "program" or "table". dropout: the rate it was trained with. Throws
    // std::invalid_argument when `parameters` are not those of the network.
    discriminator(const std::string& name, const named_tensors& parameters, float dropout);

    // pixels: count x 162 x 162 x 3, RGB. scores: count logits, above 0 where it believes a
    // picture to be real.
    void score(const std::uint8_t* pixels, long count, float* scores) const;

  private:
    mutable std::mutex mutex_; // the network holds its activations
    std::unique_ptr<network> network_;
};

} // namespace ffgan
