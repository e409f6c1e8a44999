// SPDX-License-Identifier: GPL-3.0-or-later
//
// Adversarial training, one step at a time: the two networks, their solvers, the averaged
// generator, and the state of them all. Which images and which noise make up a step is the caller's
// business; what is random inside a step (dropout, augmentation) follows from the seed and the
// step's number, so that a run that was interrupted goes on with the same bytes.

#pragma once

#include "training/adam.h"
#include "losses/adversarial_loss.h"
#include "training/augment.h"
#include "networks/network.h"
#include "training/projected_discriminator.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ffgan {

// What D's norms normalise by: the batch, or statistics that were measured once, when D began, and
// are constants since. With these D judges each image by itself, in training as it will later.
enum class discriminator_norm { batch, fixed };

struct trainer_settings {
    std::string discriminator = "program";
    std::uint64_t seed = 0;
    double learning_rate_g = 2e-4;
    double learning_rate_d = 2e-4;
    double beta1 = 0.5;
    double beta2 = 0.999;
    adversarial_loss loss = adversarial_loss::logistic;
    double label_smoothing = 0; // one-sided: real images get the target 1 - label_smoothing
    double dropout = 0.5;
    double ema = 0.999; // decay of the averaged generator
    augment_policy augment;
    bool joint_update = false; // one update of D from real and fake images, instead of one each
    discriminator_norm norm = discriminator_norm::batch;
    double gradient_penalty = 0; // weight of R1 (Mescheder et al. 2018); with fixed norms only
    // Of what G learns from. Without an adversary D is left alone.
    double adversarial_weight = 1;
    double texture_weight = 0; // patch_distance.h
    double chroma_weight = 0;  // of the chroma_detail.h that fakes have more of than real images
    double grid_weight = 0;    // of the grid_unevenness.h, likewise
    // The share of the checkerboard in G's kernels that each step removes; resize_convolution.h.
    double smooth_upsampling = 0;
    // How much the projected discriminator (projected_discriminator.h) counts for G beside that of
    // pixels, both within adversarial_weight; with fixed norms only.
    double projected_weight = 0;
    double projected_penalty = 0.1; // weight of R1 there, in standard deviations of the features
    double projected_details = 0;   // share of the pairs of which it sees a part magnified, too
    double identity_weight = 0;     // of the energy distance of embeddings, for G
    double matching_weight = 0;     // of that of the features' statistics
    double perceptual_weight = 0;   // of both distances between the anchor's images and G's
    std::string recognition;        // the file that it needs
    // As projected_weight, of one that sees images through an ImageNet network, with the same R1;
    // matching_weight and perceptual_weight then go for its features' statistics, too.
    double imagenet_weight = 0;
    named_tensors imagenet; // the network: imagenet_features.h
};

struct step_result {
    double loss_d = 0; // on real images plus on fakes
    double loss_g = 0;
    // The share that D has right; with the relativistic loss both are the share of right pairs.
    double accuracy_real = 0;
    double accuracy_fake = 0;
    double penalty = 0; // included in loss_d
    // Of the projected discriminator: loss_d with its penalty, and as accuracy_real.
    double projected_loss = 0;
    double projected_accuracy = 0;
    double detail_loss = 0; // of its heads for magnified parts
    double detail_accuracy = 0;
    double identity_distance = 0; // of the embeddings
    double matching_distance = 0; // of the features' statistics, the mean over the networks
    double perceptual = 0;        // of the anchor's images, likewise
    double imagenet_loss = 0;     // as projected_loss and projected_accuracy
    double imagenet_accuracy = 0;
    // Of G, before their weights: the distance of textures, of the amount of chroma detail, of the
    // grid, and of the anchor's images.
    double texture = 0;
    double chroma_excess = 0; // below 0 where the real images have more
    double grid_excess = 0;   // likewise, of unevenness
    double anchor = 0;
};

// A reconstruction term in G's update: the first `count` latents of the step are codes of these
// images, the first real ones too, and should give them again.
struct anchor {
    const std::uint8_t* images = nullptr; // count x 162 x 162 x 3
    long count = 0;
    double weight = 0;
    int skip = 0; // so many of the pyramid's finest levels are left to D
};

class trainer {
  public:
    // Throws std::invalid_argument that names the setting which is out of range.
    explicit trainer(const trainer_settings& settings);

    void set_learning_rates(double generator, double discriminator);

    // The standard deviation, in pixels, of the blur through which D sees all images; see
    // gaussian_blur.h. 0 at the beginning, and no part of the state.
    void set_blur(double sigma);

    // real: count x 162 x 162 x 3; latents: count x 100, count >= 2. D learns from the real images
    // and from G's fakes, then G learns through D, from the same fakes.
    step_result step(const std::uint8_t* real, const float* latents, long count,
                     bool update_generator, const anchor& anchored);

    // The warm start: G alone learns to make image i from code i. Returns the pyramid loss.
    double reconstruct(const float* latents, const std::uint8_t* images, long count,
                       double learning_rate);

    // The averaged generator's batch-norm statistics are no parameters, so averaging does not give
    // them: they are estimated anew, over `count` latents.
    void estimate_statistics(const float* latents, long count);

    // Inference with the averaged or the live generator: count x 162 x 162 x 3.
    void sample(const float* latents, long count, bool averaged, std::uint8_t* pixels);

    // which: "generator", "averaged" or "discriminator".
    named_tensors parameters(const std::string& which);
    void set_parameters(const std::string& which, const named_tensors& parameters);

    // The discriminator and its solver begin anew.
    void reset_discriminator();

    const trainer_settings& settings() const { return settings_; }

    long steps() const { return steps_; }

    named_tensors state();
    // Throws std::invalid_argument when the state is of another kind of trainer.
    void load_state(const named_tensors& state);

    // The gradients that the last step left in a network, by layer, for tests.
    named_tensors gradients(const std::string& which);

  private:
    network& find(const std::string& which);
    // One forward and backward pass of D on images_.
    enum class target { real, fake, fool };
    struct judgement {
        double loss;                  // mean
        double accuracy;              // share of the images with the right sign
        dlib::tensor* image_gradient; // with respect to images_; for `fool` only
    };
    judgement discriminate(target goal);
    // Both update D and, where it is wanted, leave G's gradient with respect to its fakes in
    // image_gradient_.
    step_result judge_in_turn(const std::uint8_t* real, const dlib::tensor& fakes,
                              bool update_generator);
    step_result judge_together(const std::uint8_t* real, const dlib::tensor& fakes, long anchored,
                               bool update_generator);
    projected_values add_projected(projected_discriminator& judge, const projected_weights& weights,
                                   std::uint64_t key, bool update_generator);
    void judge_projected(std::uint64_t key, long anchored, bool update_generator,
                         step_result& result);
    // Calls f(prefix, judge) for each of the projected discriminators.
    template <typename F> void each_projected(F&& f) {
        if (projected_)
            f("projected.", *projected_);
        if (imagenet_)
            f("imagenet.", *imagenet_);
    }
    void update_discriminator();
    void smooth_upsampling();
    void update_average();

    trainer_settings settings_;
    double blur_ = 0;
    std::map<std::string, long> doubling_; // layers of G that smooth_upsampling is about
    std::unique_ptr<network> generator_, averaged_, discriminator_;
    std::unique_ptr<projected_discriminator> projected_, imagenet_;
    adam solver_g_, solver_d_, solver_reconstruction_;
    long steps_ = 0;
    dlib::resizable_tensor latents_, images_, augmented_, score_gradient_;
    dlib::resizable_tensor image_gradient_, projected_gradient_;
    gradient_memory gradients_;
};

} // namespace ffgan
