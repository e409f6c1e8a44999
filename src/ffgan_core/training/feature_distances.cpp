// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/feature_distances.h"

#include "base/threads.h"

#include <algorithm>
#include <cmath>

namespace ffgan {
namespace {

constexpr double smallest_deviation = 1e-3;

// The mean of each channel over its places, then its standard deviation.
void measure(const float* features, const feature_shape& shape, float* statistics) {
    const long places = shape.side * shape.side;
    for (long c = 0; c < shape.channels; ++c, features += places) {
        double sum = 0, squares = 0;
        for (long i = 0; i < places; ++i) {
            sum += features[i];
            squares += static_cast<double>(features[i]) * features[i];
        }
        const double n = static_cast<double>(places), variance = squares / n - sum / n * (sum / n);
        statistics[c] = static_cast<float>(sum / n);
        statistics[shape.channels + c] = static_cast<float>(
            std::sqrt(std::max(variance, 0.0) + smallest_deviation * smallest_deviation));
    }
}

// Puts the gradient with respect to the features, times `factor`, in their place.
void measure_adjoint(const feature_shape& shape, const float* statistics,
                     const float* of_statistics, float factor, float* features) {
    const long places = shape.side * shape.side;
    const float share = factor / static_cast<float>(places);
    for (long c = 0; c < shape.channels; ++c, features += places) {
        const float mean = statistics[c], deviation = statistics[shape.channels + c];
        const float of_mean = share * of_statistics[c];
        const float of_deviation = share * of_statistics[shape.channels + c] / deviation;
        for (long i = 0; i < places; ++i)
            features[i] = of_mean + of_deviation * (features[i] - mean);
    }
}

std::string statistics_prefix(const std::string& scale_prefix, std::size_t scale) {
    return scale_prefix + std::to_string(scale + 1) + ".statistics.";
}

std::string frechet_prefix(const std::string& prefix) { return prefix + "frechet."; }

} // namespace

feature_distances::feature_distances(const std::vector<feature_shape>& shapes, long embedding_size,
                                     const ranks& all)
    : identities_(embedding_size), all_(all) {
    for (const feature_shape& shape : shapes)
        scales_.push_back({shape, compared(2 * shape.channels), {}});
}

void feature_distances::begin(long whole, const distance_weights& weights) {
    whole_ = whole;
    count_ = all_.own(whole);
    weights_ = weights;
    values_ = {};
    if (has_embeddings())
        embeddings_.resize(static_cast<std::size_t>(2 * count_ * identities_.size()));
}

float* feature_distances::real_embeddings() {
    return has_embeddings() ? embeddings_.data() : nullptr;
}

float* feature_distances::fake_embeddings() {
    return has_embeddings() ? embeddings_.data() + count_ * identities_.size() : nullptr;
}

// Of two sets of count_ vectors: the distance of the first pairs, and those of the sets of all that
// are no pair's. what.of_fakes receives the gradient, `factor` times what the weights say.
void feature_distances::compare(compared& what, const float* real, const float* fakes,
                                double weight, double factor, double& between) {
    const long size = what.size(), own = count_ * size;
    const long paired = weights_.pairs > 0 ? weights_.paired : 0, own_paired = all_.own(paired);
    std::vector<float>& of_fakes = what.of_fakes;
    of_fakes.assign(static_cast<std::size_t>(own), 0.0f);
    if (weight > 0 || has_pairs()) {
        const double value =
            what.energy.step_of_ranks(real, fakes, all_, whole_, paired, of_fakes.data());
        for (long i = own_paired * size; i < own; ++i)
            of_fakes[static_cast<std::size_t>(i)] *= static_cast<float>(factor * weight);
        if (weight > 0)
            between += factor * value;
    }
    if (weights_.frechet > 0) {
        std::vector<float> further(static_cast<std::size_t>(own));
        values_.frechet +=
            factor * what.frechet.step_of_ranks(real, fakes, all_, whole_, paired, further.data());
        for (long i = own_paired * size; i < own; ++i)
            of_fakes[static_cast<std::size_t>(i)] += static_cast<float>(factor * weights_.frechet) *
                                                     further[static_cast<std::size_t>(i)];
    }
    if (own_paired > 0)
        values_.pairs += factor * what.energy.add_pairs(real, fakes, own_paired, paired,
                                                        factor * weights_.pairs, of_fakes.data());
}

void feature_distances::compare_embeddings() {
    if (has_embeddings())
        compare(identities_, real_embeddings(), fake_embeddings(), weights_.identities, 1,
                values_.identities);
}

void feature_distances::compare_statistics(std::size_t scale, const float* features) {
    if (!has_statistics())
        return;
    scale_data& at = scales_[scale];
    const long size = at.statistics.size();
    at.values.resize(static_cast<std::size_t>(2 * count_ * size));
    float* values = at.values.data();
    parallel_chunks(2 * count_, [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            measure(features + i * at.shape.size(), at.shape, values + i * size);
    });
    compare(at.statistics, values, values + count_ * size, weights_.statistics,
            1.0 / static_cast<double>(scales_.size()), values_.statistics);
}

void feature_distances::write_gradient(std::size_t scale, long fake, float factor,
                                       float* features) const {
    const scale_data& at = scales_[scale];
    const long size = at.statistics.size();
    if (has_statistics())
        measure_adjoint(at.shape, at.values.data() + (count_ + fake) * size,
                        at.statistics.of_fakes.data() + fake * size, factor, features);
    else
        std::fill_n(features, at.shape.size(), 0.0f);
}

const float* feature_distances::embedding_gradient() const {
    return has_embeddings() ? identities_.of_fakes.data() : nullptr;
}

void feature_distances::compared::reset() {
    energy.reset();
    frechet.reset();
}

void feature_distances::compared::add_state(const std::string& prefix, named_tensors& state) const {
    energy.add_state(prefix, state);
    frechet.add_state(frechet_prefix(prefix), state);
}

void feature_distances::compared::load_state(const std::string& prefix,
                                             const named_tensors& state) {
    reset();
    // A run can take either up in its midst.
    if (state.count(prefix + "real") + state.count(prefix + "fakes") > 0)
        energy.load_state(prefix, state);
    if (!with_prefix(frechet_prefix(prefix), state).empty())
        frechet.load_state(frechet_prefix(prefix), state);
}

void feature_distances::reset() {
    identities_.reset();
    for (scale_data& at : scales_)
        at.statistics.reset();
}

void feature_distances::add_state(const std::string& prefix, const std::string& scale_prefix,
                                  named_tensors& state) const {
    identities_.add_state(prefix, state);
    for (std::size_t scale = 0; scale < scales_.size(); ++scale)
        scales_[scale].statistics.add_state(statistics_prefix(scale_prefix, scale), state);
}

void feature_distances::load_state(const std::string& prefix, const std::string& scale_prefix,
                                   const named_tensors& state) {
    if (identities_.size() > 0)
        identities_.load_state(prefix, state);
    for (std::size_t scale = 0; scale < scales_.size(); ++scale)
        scales_[scale].statistics.load_state(statistics_prefix(scale_prefix, scale), state);
}

} // namespace ffgan
