// SPDX-License-Identifier: GPL-3.0-or-later
//
// Adversarial training, one step at a time: the two networks, their solvers, the averaged
// generator, and the state of them all. Which images and which noise make up a step is the caller's
// business; what is random inside a step (dropout, augmentation) follows from the seed and the
// step's number, so that a run that was interrupted goes on with the same bytes. Several processes
// can share the steps (base/ranks.h): each has the whole state and a part of the images.

#pragma once

#include "base/ranks.h"
#include "losses/loss.h"
#include "networks/network.h"
#include "training/adam.h"
#include "training/adversary.h"
#include "training/gradient_sum.h"
#include "training/measures.h"
#include "training/trainer_settings.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ffgan {

class pixel_discriminator;

class trainer {
  public:
    // Throws std::invalid_argument that names the setting which is out of range.
    explicit trainer(const trainer_settings& settings, const ranks& all = {});
    virtual ~trainer(); // who owns what it speaks to other ranks by may be derived from it

    void set_learning_rates(double generator, double discriminator);

    // The standard deviation, in pixels, of the blur through which D sees all images; see
    // gaussian_blur.h. 0 at the beginning, and no part of the state.
    void set_blur(double sigma);

    // real: n x 162 x 162 x 3; latents: n x 100, n being this rank's of the `whole` >= 2 images of
    // the step, one at the least. D learns from the real images and from G's fakes, then G learns
    // through D, from the same fakes. The first `anchored` latents of all are the codes of the
    // first real images.
    measures step(const std::uint8_t* real, const float* latents, long whole, bool update_generator,
                  long anchored);

    // The warm start: G alone learns to make image i from code i. Returns the pyramid loss.
    double reconstruct(const float* latents, const std::uint8_t* images, long whole,
                       double learning_rate);

    const ranks& all() const { return all_; }

    // The averaged generator's batch-norm statistics are no parameters, so averaging does not give
    // them: they are estimated anew, over `count` latents.
    void estimate_statistics(const float* latents, long count);

    // Inference with the averaged or the live generator: count x 162 x 162 x 3.
    void sample(const float* latents, long count, bool averaged, std::uint8_t* pixels);

    // which: "generator", "averaged" or "discriminator".
    named_tensors parameters(const std::string& which);
    void set_parameters(const std::string& which, const named_tensors& parameters);

    // The discriminators and their solvers begin anew.
    void reset_discriminator();

    long steps() const { return steps_; }

    named_tensors state();
    // Throws std::invalid_argument when the state is of another kind of trainer.
    void load_state(const named_tensors& state);

    // The gradients that the last step left in a network, by layer, for tests.
    named_tensors gradients(const std::string& which);

  private:
    struct weighted_loss {
        const loss_description* description;
        double weight;
        std::unique_ptr<generator_loss> loss;
    };

    network& find(const std::string& which);
    measures no_measures() const;
    adam_settings discriminator_rates() const;
    // Both update D and, where it is wanted, leave G's gradient with respect to its fakes in
    // image_gradient_.
    void update_with_batch_norm(const std::uint8_t* real, const dlib::tensor& fakes, long whole,
                                bool update_generator, measures& result);
    void update_with_fixed_norm(const std::uint8_t* real, const dlib::tensor& fakes, long whole,
                                long anchored, bool update_generator, measures& result);
    void add_losses(const std::uint8_t* real, const dlib::tensor& fakes, long whole, long anchored,
                    measures& result);
    void check_parts(long whole) const;
    // From each rank's part to the whole.
    void add_up(measures& result) const;
    // The generator's Adam step has been made.
    void finish_update();
    void smooth_upsampling();
    void update_average();

    trainer_settings settings_;
    ranks all_;
    gradient_sum sums_;
    double blur_ = 0;
    std::map<std::string, long> doubling_; // layers of G that smooth_upsampling is about
    std::unique_ptr<network> generator_, averaged_;
    std::vector<std::unique_ptr<adversary>> adversaries_; // pixels first
    pixel_discriminator* discriminator_;                  // the first of them
    std::vector<weighted_loss> losses_;                   // in the order of generator_losses()
    adam solver_g_, solver_reconstruction_;
    long steps_ = 0;
    real_planes real_;
    dlib::resizable_tensor latents_, images_, image_gradient_, further_gradient_;
    gradient_memory gradients_;
};

} // namespace ffgan
