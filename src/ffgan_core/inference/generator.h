// SPDX-License-Identifier: GPL-3.0-or-later
//
// Latents to pixels. Training keeps a network's activations and gradients; a program that only
// makes faces wants neither, and wants to call from any thread.

#pragma once

#include "base/layer_time.h"
#include "base/named_tensor.h"
#include "base/precision.h"
#include "base/shapes.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace ffgan {

class generator {
  public:
    // Throws std::invalid_argument when `parameters` are not those of the generator, and
    // instruction_set_error where products of that precision cannot be computed here.
    explicit generator(named_tensors parameters, precision products = precision::float32);
    ~generator();

    // latents: count x 100; pixels: count x 162 x 162 x 3, RGB, the sigmoid times 255, rounded.
    // An image does not depend on the others of its batch, nor on the calling thread.
    void generate(const float* latents, long count, std::uint8_t* pixels) const;

    // The sigmoid's output itself: count x 3 x 162 x 162 in (0, 1).
    void generate(const float* latents, long count, float* planes) const;

    // Layer by layer, milliseconds for one image on all cores: medians of `repetitions` runs. Empty
    // where the layers run on a device.
    std::vector<layer_time> profile(long repetitions) const;

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
