// SPDX-License-Identifier: GPL-3.0-or-later
//
// A projected discriminator (Sauer et al. 2021, "Projected GANs Converge Faster"): a frozen,
// pretrained network turns an image into features at several scales, and at each a small network,
// the head, learns to tell real from generated. It has features of images from the first step on,
// where the discriminator of pixels has to learn them. Magnified parts of the images
// (magnified_parts.h) have heads of their own.

#pragma once

#include "base/ranks.h"
#include "losses/adversarial_loss.h"
#include "networks/network.h"
#include "pretrained/feature_network.h"
#include "training/adam.h"
#include "training/feature_distances.h"

#include <cstdint>
#include <memory>
#include <string>

namespace ffgan {

// How much each counts in the gradient for G.
struct projected_weights {
    double heads = 1;
    distance_weights distances;
};

// This rank's part of them: they add up.
struct projected_values {
    loss_values whole, details; // the means over the heads
    distance_values distances;  // where they count
};

class projected_discriminator {
  public:
    // R1, if the loss has it, is of the features, in their standard deviations. detail_share: of so
    // many of the pairs it sees a quarter too, at twice the size. Throws std::invalid_argument for
    // features that no head is made for.
    projected_discriminator(std::unique_ptr<feature_network> backbone, const loss_settings& loss,
                            double detail_share, std::uint64_t seed, const ranks& all = {});
    ~projected_discriminator();

    // The heads and their solvers begin anew.
    void reset();

    // One pass and one update of the heads. images: this rank's of `whole` real ones, then as many
    // fakes, all 3 x 162 x 162 on the scale of pixel_to_input. `gradient`, where it is given, has
    // room for the fakes and receives the gradient with respect to them of G's loss, summed over
    // the heads, and of the distances, each times its weight.
    projected_values step(const float* images, long whole, std::uint64_t key,
                          const adam_settings& how, const projected_weights& weights,
                          gradient_memory& memory, float* gradient);

    // The heads, what they multiply the features by, their solvers, and what is remembered of the
    // last steps for the energy distances; by name.
    void add_state(const std::string& prefix, named_tensors& state);
    // Throws std::invalid_argument where something is missing or has another size.
    void load_state(const std::string& prefix, const named_tensors& state);

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
