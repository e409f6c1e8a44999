// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far apart two distributions are by their means and covariances alone: the Frechet distance of
// normal distributions, |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) (Dowson & Landau 1982). A single
// batch says little of a covariance, so those of many steps are kept as moving averages. What draws
// a sample is then plain: the optimal transport between the two normal distributions moves each
// sample along a straight line, and its squared length, in the mean, is the distance.

#pragma once

#include "base/named_tensor.h"
#include "base/ranks.h"

#include <string>
#include <vector>

namespace ffgan {

// Mean and covariance of samples, by moving averages.
class moments {
  public:
    // remembered: as many samples count as one; until there are so many, all alike.
    moments(long size, double remembered) : size_(size), remembered_(remembered) {}

    void add(const float* samples, long count);

    double count() const { return count_; } // at most `remembered`
    const std::vector<float>& mean() const { return mean_; }
    const std::vector<float>& covariance() const { return covariance_; }

    void reset();
    void add_state(const std::string& prefix, named_tensors& state) const;
    // Throws std::invalid_argument where something is missing or has another size.
    void load_state(const std::string& prefix, const named_tensors& state);

  private:
    long size_;
    double remembered_, count_ = 0;
    std::vector<float> mean_, covariance_;
};

// What a value is divided by: its own standard deviation in the real samples, or the root of the
// mean of all variances, so that those that vary more count for more.
enum class scaling { each, together };

class frechet_distance {
  public:
    explicit frechet_distance(long size, scaling how = scaling::each);

    // Adds a step's samples to what is remembered, and returns the distance of all that are
    // remembered, 0 until there are enough. The distance is divided by the number of values; only
    // the principal components of the real samples are compared, the first 128. `gradient`,
    // fake_count x size, receives the derivative with respect to the fakes, the remembered ones
    // counted as if they moved alike. The matrices are found anew every few steps.
    double step(const float* real, long real_count, const float* fakes, long fake_count,
                float* gradient);

    // The same where `all` share the images of a step: each gives its own of the `whole` real and
    // generated ones, and gets its part of the distance and the gradient of its own fakes. The
    // first `paired` fakes do not count, and the gradient of those is left alone.
    double step_of_ranks(const float* real, const float* fakes, const ranks& all, long whole,
                         long paired, float* gradient);

    long size() const { return size_; }

    void reset();

    // Nothing before the first step.
    void add_state(const std::string& prefix, named_tensors& state) const;
    // Throws std::invalid_argument where something is missing or has another size.
    void load_state(const std::string& prefix, const named_tensors& state);

  private:
    bool enough() const;
    void compare();
    // Of `count` samples that are multiplied by the scales already.
    std::vector<float> in_components(const std::vector<float>& scaled, long count) const;
    std::vector<float> mean_offset() const; // the fakes' mean without the real ones'

    long size_, components_;
    scaling how_;
    long steps_ = 0;
    moments real_, fakes_;
    // Of the last comparison: what values are multiplied by, the components (size x components) of
    // the values so multiplied, the part of a deviation from the mean that the transport takes off,
    // and the distance.
    std::vector<float> scales_, basis_, excess_;
    float distance_ = 0;
};

} // namespace ffgan
