// SPDX-License-Identifier: GPL-3.0-or-later
//
// What trains against G, where each image is judged by itself: the discriminator of pixels with
// fixed norms, and those that see through a frozen network. They share one batch, and G gets the
// sum of their gradients.

#pragma once

#include "base/named_tensor.h"
#include "networks/network.h"
#include "training/adam.h"
#include "training/measures.h"

#include <dlib/cuda/tensor.h>

#include <cstdint>

namespace ffgan {

struct judged_images {
    // This rank's real ones, as many fakes, and neighbours of the first real ones (add_signs), as
    // many as the discriminator of pixels wants; on the scale of pixel_to_input, augmented and
    // blurred.
    const dlib::tensor& images;
    long whole;                 // real ones of all ranks
    long anchored;              // so many of the first fakes should look like their real image
    std::uint64_t step;         // a number of its own for each step's random numbers
    const adam_settings& rates; // of the update
};

class adversary {
  public:
    virtual ~adversary() = default;

    // Names its measures, all of them 0. An update adds this rank's part of each.
    virtual void name_measures(measures& result) const = 0;

    // Learns from the images. `gradient`, where it is given, is of the fakes' size and receives the
    // gradient of G's loss with respect to them, times its weight beside the other adversaries'.
    virtual void update(const judged_images& batch, gradient_memory& memory, dlib::tensor* gradient,
                        measures& result) = 0;

    // Begins anew.
    virtual void reset() = 0;

    virtual void add_state(named_tensors& state) = 0;
    // Throws std::invalid_argument where something is missing or has another size.
    virtual void load_state(const named_tensors& state) = 0;
};

} // namespace ffgan
