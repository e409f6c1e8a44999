// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far apart two distributions are, of which there are only samples: the energy distance,
// 2 E|x - y| - E|x - x'| - E|y - y'| (Szekely & Rizzo 2013), which is 0 only where they are the
// same. Nothing is learnt: each sample is drawn towards those of the other distribution and pushed
// away from those of its own. So what is missing is missed, where a discriminator may be content
// with samples that are each good by themselves.

#pragma once

#include "base/named_tensor.h"
#include "base/ranks.h"

#include <string>
#include <vector>

namespace ffgan {

// Which samples are this rank's, where several share a step: every `step`-th from the first ones
// on.
struct own_samples {
    long real = 0, fakes = 0, step = 1;
};

class energy_distance {
  public:
    // least_deviation: that of each value is taken to be no smaller.
    explicit energy_distance(long size, double least_deviation = 0)
        : size_(size), least_deviation_(least_deviation) {}

    // The distance of two batches of samples, by their distances to each other and to the samples
    // of the last steps, which are then remembered; 0 where there are no fakes, or no two of a
    // kind. Each value is divided by its standard deviation in the real samples, and by the root of
    // their size. `gradient`, fake_count x size, receives the derivative with respect to the fakes,
    // those of earlier steps counted as if they moved alike. All ranks give the samples of all; the
    // result is of `own`, the part of the distance and the rows of the gradient.
    double step(const float* real, long real_count, const float* fakes, long fake_count,
                float* gradient, const own_samples& own = {});

    // The same where `all` share the images of a step: each gives its own of the `whole` real and
    // generated ones, and gets its part of the distance and the gradient of its own fakes. The
    // first `paired` fakes do not count, and the gradient of those is left alone.
    double step_of_ranks(const float* real, const float* fakes, const ranks& all, long whole,
                         long paired, float* gradient);

    // As step measures it, the mean distance of `count` fakes from the real samples that each of
    // them should be; adds `weight` times its derivative to the gradient. After step. whole: the
    // pairs of all ranks, of which the result is the part of these.
    double add_pairs(const float* real, const float* fakes, long count, long whole, double weight,
                     float* gradient) const;

    long size() const { return size_; }

    void reset();

    // Nothing before the first step.
    void add_state(const std::string& prefix, named_tensors& state) const;
    // Throws std::invalid_argument where something is missing or has another size.
    void load_state(const std::string& prefix, const named_tensors& state);

  private:
    // Of the newest ones.
    double compare(long real_count, long fake_count, float* gradient, const own_samples& own) const;

    long size_;
    double least_deviation_;
    std::vector<float> real_, fakes_; // the newest last
    std::vector<float> scales_;       // of the squares of differences
};

} // namespace ffgan
