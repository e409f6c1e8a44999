// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pixels to scores: the judge of candidates. Dropout is off and batch norm runs on stored
// statistics, so that an image has one score, whatever it is judged together with.

#pragma once

#include "base/layer_time.h"
#include "base/named_tensor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ffgan {

class discriminator {
  public:
    // name: "program" or "table". dropout: the rate it was trained with. Throws
    // std::invalid_argument when `parameters` are not those of the network.
    discriminator(const std::string& name, named_tensors parameters, float dropout);
    ~discriminator();

    // pixels: count x 162 x 162 x 3, RGB. scores: count logits, above 0 where it believes a
    // picture to be real.
    void score(const std::uint8_t* pixels, long count, float* scores) const;

    // Layer by layer, milliseconds for one image on all cores: medians of `repetitions` runs. Empty
    // where the layers run on a device.
    std::vector<layer_time> profile(long repetitions) const;

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
