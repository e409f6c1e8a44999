// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/feature_distances.h"

#include "base/threads.h"

#include <algorithm>
#include <cmath>

namespace ffgan {
namespace {

constexpr double smallest_deviation = 1e-3;

// The places of a channel.
struct all_places {
    static long count(long side) { return side * side; }
    template <typename function> static void visit(long side, const function& each) {
        for (long i = 0; i < count(side); ++i)
            each(i);
    }
};

// The outermost ones.
struct border_places {
    static long count(long side) { return 4 * (side - 1); }
    template <typename function> static void visit(long side, const function& each) {
        const long last = side * (side - 1);
        for (long i = 0; i < side; ++i) {
            each(i);
            each(last + i);
        }
        for (long row = side; row < last; row += side) {
            each(row);
            each(row + side - 1);
        }
    }
};

// The mean of each channel over these places, then its standard deviation.
template <typename places>
void measure(const float* features, const feature_shape& shape, float* statistics) {
    const double n = static_cast<double>(places::count(shape.side));
    for (long c = 0; c < shape.channels; ++c, features += shape.side * shape.side) {
        double sum = 0, squares = 0;
        places::visit(shape.side, [&](long i) {
            sum += features[i];
            squares += static_cast<double>(features[i]) * features[i];
        });
        const double variance = squares / n - sum / n * (sum / n);
        statistics[c] = static_cast<float>(sum / n);
        statistics[shape.channels + c] = static_cast<float>(
            std::sqrt(std::max(variance, 0.0) + smallest_deviation * smallest_deviation));
    }
}

// Adds the gradient with respect to the features, times `factor`.
template <typename places>
void measure_adjoint(const float* features, const feature_shape& shape, const float* statistics,
                     const float* of_statistics, float factor, float* gradient) {
    const float share = factor / static_cast<float>(places::count(shape.side));
    for (long c = 0; c < shape.channels; ++c) {
        const float mean = statistics[c], deviation = statistics[shape.channels + c];
        const float of_mean = share * of_statistics[c];
        const float of_deviation = share * of_statistics[shape.channels + c] / deviation;
        places::visit(shape.side, [&](long i) {
            gradient[i] += of_mean + of_deviation * (features[i] - mean);
        });
        features += shape.side * shape.side;
        gradient += shape.side * shape.side;
    }
}

std::string statistics_prefix(const std::string& scale_prefix, std::size_t scale) {
    return scale_prefix + std::to_string(scale + 1) + ".statistics.";
}

std::string border_prefix(const std::string& scale_prefix, std::size_t scale) {
    return scale_prefix + std::to_string(scale + 1) + ".border.";
}

void load_if_there(const std::string& prefix, frechet_distance& distance,
                   const named_tensors& state) {
    distance.reset();
    if (!with_prefix(prefix, state).empty())
        distance.load_state(prefix, state);
}

} // namespace

feature_distances::feature_distances(const std::vector<feature_shape>& shapes, long embedding_size,
                                     const ranks& all)
    : embeddings_(embedding_size, scaling::together), all_(all) {
    for (const feature_shape& shape : shapes)
        scales_.push_back({shape,
                           compared(2 * shape.channels, scaling::each),
                           {},
                           frechet_distance(2 * shape.channels, scaling::each),
                           {},
                           {}});
}

void feature_distances::begin(long whole, const distance_weights& weights) {
    whole_ = whole;
    count_ = all_.own(whole);
    weights_ = weights;
    values_ = {};
    if (has_embeddings())
        embedding_values_.resize(static_cast<std::size_t>(2 * count_ * embeddings_.size()));
}

float* feature_distances::real_embeddings() {
    return has_embeddings() ? embedding_values_.data() : nullptr;
}

float* feature_distances::fake_embeddings() {
    return has_embeddings() ? embedding_values_.data() + count_ * embeddings_.size() : nullptr;
}

// Of two sets of count_ vectors: the distance of the first pairs, and those of the sets of all that
// are no pair's. what.of_fakes receives the gradient, `factor` times what the weights say.
void feature_distances::compare(compared& what, const float* real, const float* fakes,
                                double weight, double of_pairs, double factor, double& between) {
    const long size = what.size(), own = count_ * size, own_paired = all_.own(paired());
    std::vector<float>& of_fakes = what.of_fakes;
    of_fakes.assign(static_cast<std::size_t>(own), 0.0f);
    if (has_energy(weight, of_pairs)) {
        const double value =
            what.energy.step_of_ranks(real, fakes, all_, whole_, paired(), of_fakes.data());
        for (long i = own_paired * size; i < own; ++i)
            of_fakes[static_cast<std::size_t>(i)] *= static_cast<float>(factor * weight);
        if (weight > 0)
            between += factor * value;
    }
    if (weights_.frechet > 0)
        add_frechet(what.frechet, real, fakes, factor, of_fakes);
    if (own_paired > 0 && of_pairs > 0)
        values_.pairs += factor * what.energy.add_pairs(real, fakes, own_paired, paired(),
                                                        factor * of_pairs, of_fakes.data());
}

// Adds the gradient, `factor` times what the weight says.
void feature_distances::add_frechet(frechet_distance& distance, const float* real,
                                    const float* fakes, double factor,
                                    std::vector<float>& of_fakes) {
    std::vector<float> gradient(of_fakes.size());
    values_.frechet +=
        factor * distance.step_of_ranks(real, fakes, all_, whole_, paired(), gradient.data());
    const float share = static_cast<float>(factor * weights_.frechet);
    for (std::size_t i = 0; i < gradient.size(); ++i)
        of_fakes[i] += share * gradient[i];
}

void feature_distances::compare_embeddings() {
    if (has_embeddings())
        compare(embeddings_, real_embeddings(), fake_embeddings(), weights_.identities,
                weights_.embedding_pairs, 1, values_.identities);
}

void feature_distances::compare_statistics(std::size_t scale, const float* features) {
    if (!has_statistics())
        return;
    scale_data& at = scales_[scale];
    const long size = at.statistics.size();
    const double share = 1.0 / static_cast<double>(scales_.size());
    at.values.resize(static_cast<std::size_t>(2 * count_ * size));
    at.border_values.resize(weights_.frechet > 0 ? at.values.size() : 0);
    parallel_chunks(2 * count_, [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            const float* of_image = features + i * at.shape.size();
            measure<all_places>(of_image, at.shape, at.values.data() + i * size);
            if (weights_.frechet > 0)
                measure<border_places>(of_image, at.shape, at.border_values.data() + i * size);
        }
    });
    const float* values = at.values.data();
    compare(at.statistics, values, values + count_ * size, weights_.statistics, weights_.pairs,
            share, values_.statistics);
    if (weights_.frechet > 0) {
        at.of_border.assign(static_cast<std::size_t>(count_ * size), 0.0f);
        const float* border = at.border_values.data();
        add_frechet(at.border, border, border + count_ * size, share, at.of_border);
    }
}

void feature_distances::write_gradient(std::size_t scale, long fake, float factor,
                                       float* features) const {
    const scale_data& at = scales_[scale];
    const std::vector<float> values(features, features + (has_statistics() ? at.shape.size() : 0));
    std::fill_n(features, at.shape.size(), 0.0f);
    if (!has_statistics())
        return;
    const long size = at.statistics.size(), row = (count_ + fake) * size;
    measure_adjoint<all_places>(values.data(), at.shape, at.values.data() + row,
                                at.statistics.of_fakes.data() + fake * size, factor, features);
    if (weights_.frechet > 0)
        measure_adjoint<border_places>(values.data(), at.shape, at.border_values.data() + row,
                                       at.of_border.data() + fake * size, factor, features);
}

const float* feature_distances::embedding_gradient() const {
    return has_embeddings() ? embeddings_.of_fakes.data() : nullptr;
}

void feature_distances::compared::reset() {
    energy.reset();
    frechet.reset();
}

void feature_distances::compared::add_state(const std::string& prefix, named_tensors& state) const {
    energy.add_state(prefix, state);
    frechet.add_state(prefix + "frechet.", state);
}

void feature_distances::compared::load_state(const std::string& prefix,
                                             const named_tensors& state) {
    reset();
    // A run can take either up in its midst.
    if (state.count(prefix + "real") + state.count(prefix + "fakes") > 0)
        energy.load_state(prefix, state);
    load_if_there(prefix + "frechet.", frechet, state);
}

void feature_distances::reset() {
    embeddings_.reset();
    for (scale_data& at : scales_) {
        at.statistics.reset();
        at.border.reset();
    }
}

void feature_distances::add_state(const std::string& prefix, const std::string& scale_prefix,
                                  named_tensors& state) const {
    embeddings_.add_state(prefix, state);
    for (std::size_t scale = 0; scale < scales_.size(); ++scale) {
        scales_[scale].statistics.add_state(statistics_prefix(scale_prefix, scale), state);
        scales_[scale].border.add_state(border_prefix(scale_prefix, scale), state);
    }
}

void feature_distances::load_state(const std::string& prefix, const std::string& scale_prefix,
                                   const named_tensors& state) {
    if (embeddings_.size() > 0)
        embeddings_.load_state(prefix, state);
    for (std::size_t scale = 0; scale < scales_.size(); ++scale) {
        scales_[scale].statistics.load_state(statistics_prefix(scale_prefix, scale), state);
        load_if_there(border_prefix(scale_prefix, scale), scales_[scale].border, state);
    }
}

} // namespace ffgan
