// SPDX-License-Identifier: GPL-3.0-or-later
//
// The discriminator of pixels, with its solver. Norms by the batch make an image's score hang on
// the batch, so real images, fakes, and fakes on G's behalf take a pass each; with fixed norms one
// pass serves all (adversarial_loss.h).

#pragma once

#include "losses/adversarial_loss.h"
#include "training/adversary.h"
#include "training/augment.h"
#include "training/gradient_sum.h"
#include "training/random_streams.h"
#include "training/trainer_settings.h"

#include <cstdint>
#include <memory>

namespace ffgan {

class pixel_discriminator final : public adversary {
  public:
    pixel_discriminator(const trainer_settings& settings, const ranks& all);

    network& net() { return *net_; }
    const loss_settings& loss() const { return loss_; }

    void name_measures(measures& result) const override;

    // With fixed norms.
    void update(const judged_images& batch, gradient_memory& memory, dlib::tensor* gradient,
                measures& result) override;

    // With norms by the batch. real: as many images of 162 x 162 x 3 as there are fakes, which are
    // from 0 to 1, this rank's of `whole`. `images` is where D sees them; in the end, for the
    // generator, it holds the gradient of G's loss with respect to the fakes.
    void update_batch_norm(const std::uint8_t* real, const dlib::tensor& fakes, long whole,
                           double blur, std::uint64_t step, const adam_settings& rates,
                           gradient_memory& memory, bool for_generator,
                           dlib::resizable_tensor& images, measures& result);

    void reset() override;

    // "discriminator." with its parameters, "solver_d." and the updates of its statistics.
    void add_state(named_tensors& state) override;
    void load_state(const named_tensors& state) override;

  private:
    struct judgement {
        double loss;                  // this rank's part of the mean
        double accuracy;              // likewise of the share of the images with the right sign
        dlib::tensor* image_gradient; // with respect to the images; of the generator's pass only
    };
    // One forward and backward pass.
    judgement pass_batch_norm(pass which, const dlib::tensor& images, long whole, double blur,
                              std::uint64_t step, gradient_memory& memory);
    void update_parameters(const adam_settings& rates);

    ranks all_;
    gradient_sum gradients_;
    std::uint64_t seed_;
    augment_policy augment_;
    loss_settings loss_;
    bool joint_update_;
    std::unique_ptr<network> net_;
    adam solver_;
    dlib::resizable_tensor seen_, score_gradient_;
};

} // namespace ffgan
