// SPDX-License-Identifier: GPL-3.0-or-later
//
// From an image back to the latent whose image is nearest: gradient descent through the generator
// as it runs in inference, on distances of pixels, of what an ImageNet network sees, and of what a
// face recognition network sees (as Abdal et al. 2019, "Image2StyleGAN", for other generators).
// Nothing here is random, and the images of a batch do not touch each other.

#pragma once

#include "base/named_tensor.h"
#include "faces/chips.h"

#include <cstdint>
#include <memory>
#include <string>

namespace ffgan {

// How much each part counts. One of a network that there is not must be 0.
struct projection_weights {
    double pyramid = 1;
    double perceptual = 0;
    double identity = 0;
    double prior = 0;
};

// Of one image and its target, before their weights.
struct projection_values {
    double pyramid = 0;    // pyramid_loss
    double perceptual = 0; // feature_distance
    double identity = 0;   // between the embeddings; the loss has its square
    double prior = 0;      // square of what the latent's length exceeds `longest` by
};

class projector {
  public:
    // Beyond this length of a latent the prior counts. Noise is shorter in 93 of 100 draws.
    static constexpr double longest = 11;

    // imagenet: as make_imagenet_features takes it, or nothing. recognition: the file that
    // make_face_features takes, or "". Throws std::invalid_argument for other parameters.
    projector(const named_tensors& generator, const named_tensors& imagenet,
              const std::string& recognition);
    ~projector();

    // Begins anew. targets: count x 162 x 162 x 3, the image that each of the latents (count x 100)
    // should give; squares: of each, the aligned face, as chip_squares finds it for the recognition
    // network; null without that network.
    void begin(const std::uint8_t* targets, const chip_square* squares, const float* latents,
               long count, const projection_weights& weights);

    // Measures the images of the latents, and moves these by a step of Adam. values: of each,
    // before the step.
    void step(double learning_rate, projection_values* values);

    // Only measures. gradient: count x 100, of the weighted sum; may be null.
    void measure(projection_values* values, float* gradient);

    long count() const;
    const float* latents() const; // count x 100

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
