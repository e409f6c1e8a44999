// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/projected_discriminator.h"

#include "training/adam.h"
#include "losses/energy_distance.h"
#include "base/random.h"
#include "base/shapes.h"
#include "base/threads.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace ffgan {
namespace {

constexpr long crop_size = image_size / 2;
constexpr long plane = image_size * image_size;

// How far R1 looks from an image's features, in their standard deviations.
constexpr double penalty_distance = 0.01;

// The mean of each channel over its places, then its standard deviation.
constexpr double smallest_deviation = 1e-3;
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
void measure_back(const feature_shape& shape, const float* statistics, const float* of_statistics,
                  float factor, float* features) {
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

float inverse_deviation(const float* values, long size) {
    double sum = 0, squares = 0;
    for (long i = 0; i < size; ++i) {
        sum += values[i];
        squares += static_cast<double>(values[i]) * values[i];
    }
    const double n = static_cast<double>(size), variance = squares / n - sum / n * (sum / n);
    return variance > 0 ? static_cast<float>(1 / std::sqrt(variance)) : 1;
}

// Twice the size, bilinearly; beyond the crop its edge goes on. Calls f(from, to, weight), where
// `from` is the place of a pixel in the crop's image and `to` one in the magnified plane.
template <typename F> void each_magnified(long top, long left, F&& f) {
    const auto neighbour = [](long i) {
        return std::clamp((i & 1) ? i / 2 + 1 : i / 2 - 1, 0L, crop_size - 1);
    };
    for (long row = 0; row < image_size; ++row)
        for (long column = 0; column < image_size; ++column) {
            const long to = row * image_size + column;
            const auto place = [&](long r, long c) { return (top + r) * image_size + left + c; };
            const long r = row / 2, c = column / 2;
            const long other_r = neighbour(row), other_c = neighbour(column);
            f(place(r, c), to, 0.5625f);
            f(place(other_r, c), to, 0.1875f);
            f(place(r, other_c), to, 0.1875f);
            f(place(other_r, other_c), to, 0.0625f);
        }
}

struct corner {
    long top, left;
};

corner draw_corner(std::uint64_t key, long image) {
    const auto draw = [&](std::uint64_t stream) {
        return static_cast<long>(counter_random(key, stream, static_cast<std::uint64_t>(image)) %
                                 (image_size - crop_size + 1));
    };
    return {draw(1), draw(2)};
}

} // namespace

struct projected_discriminator::implementation {
    struct head {
        std::unique_ptr<network> net;
        adam solver;
        float scale = 0; // of the features, for a deviation of 1; 0: not measured yet
        dlib::resizable_tensor features, score_gradient;
        std::vector<float> ratios;
        std::unique_ptr<energy_distance> distance; // of the statistics
        std::vector<float> statistics, of_statistics;
    };

    using head_set = std::vector<head>; // one for each scale

    std::unique_ptr<feature_network> eye;
    loss_settings loss;
    double detail_share = 0;
    std::uint64_t seed = 0;
    std::vector<head_set> sets; // of the heads for whole images, and of those for details
    dlib::resizable_tensor details, of_details;
    energy_distance identities{0};
    std::vector<float> embeddings, of_embeddings;

    std::size_t scales() const { return eye->shapes().size(); }
    const feature_shape& shape(std::size_t scale) const { return eye->shapes()[scale]; }

    // Writes the features of `count` images where each head keeps those of image `first` and on,
    // and their embeddings where these are wanted.
    void see(head_set& heads, const float* images, long count, long first,
             float* their_embeddings) {
        std::vector<float*> targets;
        for (std::size_t h = 0; h < scales(); ++h)
            targets.push_back(heads[h].features.host() + first * shape(h).size());
        eye->see(images, count, targets, their_embeddings);
    }

    struct judgement {
        loss_values losses;
        double identities = 0, statistics = 0, pairs = 0;
    };

    // Of two sets of `count` vectors: the distance of the first pairs, and the energy distance of
    // the fakes that are no pair's. of_fakes receives the gradient, `factor` times what the weights
    // say.
    static void compare(energy_distance& distance, const float* real, const float* fakes,
                        long count, double weight, const projected_weights& weights, double factor,
                        double& between, judgement& result, std::vector<float>& of_fakes) {
        const long size = distance.size();
        const long paired = weights.pairs > 0 ? weights.paired : 0;
        of_fakes.assign(static_cast<std::size_t>(count * size), 0.0f);
        float* of_free = of_fakes.data() + paired * size;
        const double value =
            distance.step(real, count, fakes + paired * size, count - paired, of_free);
        for (long i = 0; i < (count - paired) * size; ++i)
            of_free[i] *= static_cast<float>(factor * weight);
        if (weight > 0)
            between += factor * value;
        if (paired > 0)
            result.pairs += factor * distance.add_pairs(real, fakes, paired, factor * weights.pairs,
                                                        of_fakes.data());
    }

    // The distances of the statistics of what a head sees of `count` pairs.
    void compare_statistics(head& one, const feature_shape& shape, long count,
                            const projected_weights& weights, judgement& result) {
        const long size = 2 * shape.channels;
        one.statistics.resize(static_cast<std::size_t>(2 * count * size));
        const float* features = one.features.host();
        float* statistics = one.statistics.data();
        parallel_chunks(2 * count, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                measure(features + i * shape.size(), shape, statistics + i * size);
        });
        compare(*one.distance, statistics, statistics + count * size, count, weights.statistics,
                weights, 1.0 / static_cast<double>(scales()), result.statistics, result,
                one.of_statistics);
    }

    // One pass and one update of a set of heads; see projected_discriminator::step.
    judgement judge_by(head_set& heads, const float* images, long count, std::uint64_t key,
                       const adam_settings& how, const projected_weights& weights,
                       gradient_memory& memory, float* gradient);

    // The first `count` real images' and fakes' crops, magnified, of a pair at the same place.
    void magnify(const float* images, long all, long count, std::uint64_t key) {
        details.set_size(2 * count, image_channels, image_size, image_size);
        float* target = details.host_write_only();
        parallel_chunks(2 * count, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i) {
                const corner at = draw_corner(key, i % count);
                const float* from = images + (i < count ? i : all + i - count) * image_values;
                float* to = target + i * image_values;
                std::fill_n(to, image_values, 0.0f);
                for (long k = 0; k < image_channels; ++k, from += plane, to += plane)
                    each_magnified(at.top, at.left, [&](long source, long place, float weight) {
                        to[place] += weight * from[source];
                    });
            }
        });
    }

    // Adds the gradient with respect to the fakes' crops to that with respect to the fakes.
    void reduce(long count, std::uint64_t key, float* gradient) {
        const float* source = of_details.host();
        parallel_chunks(count, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i) {
                const corner at = draw_corner(key, i);
                const float* from = source + i * image_values;
                float* to = gradient + i * image_values;
                for (long k = 0; k < image_channels; ++k, from += plane, to += plane)
                    each_magnified(at.top, at.left, [&](long place, long of, float weight) {
                        to[place] += weight * from[of];
                    });
            }
        });
    }
};

projected_discriminator::projected_discriminator(std::unique_ptr<feature_network> eye,
                                                 const loss_settings& loss, double detail_share,
                                                 std::uint64_t seed)
    : implementation_(std::make_unique<implementation>()) {
    implementation_->loss = loss;
    implementation_->loss.distance = penalty_distance;
    implementation_->detail_share = detail_share;
    implementation_->seed = seed;
    implementation_->identities = energy_distance(eye->embedding_size());
    implementation_->eye = std::move(eye);
    implementation_->sets.resize(detail_share > 0 ? 2 : 1);
    for (implementation::head_set& heads : implementation_->sets)
        for (const feature_shape& shape : implementation_->eye->shapes()) {
            heads.emplace_back();
            heads.back().net = make_feature_head(shape);
            heads.back().distance = std::make_unique<energy_distance>(2 * shape.channels);
        }
    reset();
}

projected_discriminator::~projected_discriminator() = default;

void projected_discriminator::reset() {
    implementation_->identities.reset();
    std::uint64_t number = 0;
    for (implementation::head_set& heads : implementation_->sets)
        for (implementation::head& head : heads) {
            head.net->initialise(counter_random(implementation_->seed, 0, number++));
            head.solver = adam();
            head.scale = 0;
            head.distance->reset();
        }
}

projected_discriminator::implementation::judgement
projected_discriminator::implementation::judge_by(head_set& heads, const float* images, long count,
                                                  std::uint64_t key, const adam_settings& how,
                                                  const projected_weights& weights,
                                                  gradient_memory& memory, float* gradient) {
    const long penalised = penalised_images(loss, count);
    for (std::size_t h = 0; h < scales(); ++h)
        heads[h].features.set_size(2 * count + penalised, shape(h).channels, shape(h).side,
                                   shape(h).side);
    const bool pairs = weights.pairs > 0 && weights.paired > 0;
    const long embedding_size = eye->embedding_size();
    const bool embedding = embedding_size > 0 && (weights.identities > 0 || pairs);
    const bool statistics = weights.statistics > 0 || pairs;
    float *of_real = nullptr, *of_fakes = nullptr;
    if (embedding) {
        embeddings.resize(static_cast<std::size_t>(2 * count * embedding_size));
        of_real = embeddings.data();
        of_fakes = of_real + count * embedding_size;
    }
    see(heads, images, count, 0, of_real);
    see(heads, images + count * image_values, count, count, of_fakes);

    judgement result;
    loss_values& losses = result.losses;
    if (embedding)
        compare(identities, of_real, of_fakes, count, weights.identities, weights, 1,
                result.identities, result, of_embeddings);
    std::vector<const float*> for_generator(scales());
    const double share = 1.0 / static_cast<double>(scales());
    for (std::size_t h = 0; h < scales(); ++h) {
        auto& head = heads[h];
        const long size = shape(h).size();
        float* features = head.features.host();
        const bool first = head.scale == 0;
        if (first)
            head.scale = inverse_deviation(features, count * size);
        const float scale = head.scale;
        parallel_chunks(2 * count * size, [=](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                features[i] *= scale;
        });
        add_signs(features, penalised * size, counter_random(key, 0, static_cast<std::uint64_t>(h)),
                  loss.distance, features + 2 * count * size);
        if (statistics)
            compare_statistics(head, shape(h), count, weights, result);

        if (first)
            calm_scores(*head.net, head.net->forward(head.features));
        const dlib::tensor& scores = head.net->forward(head.features);
        head.score_gradient.copy_size(scores);
        const loss_values values = judge(loss, scores, count, head.score_gradient, head.ratios);
        losses.loss_d += values.loss_d * share;
        losses.loss_g += values.loss_g * share;
        losses.accuracy_real += values.accuracy_real * share;
        losses.accuracy_fake += values.accuracy_fake * share;
        losses.penalty += values.penalty * share;

        head.net->set_data_gradient(gradient != nullptr);
        const dlib::tensor& of_features =
            head.net->backward(head.features, head.score_gradient, memory);
        if (gradient != nullptr) {
            // The features of the fakes have served: their place takes G's gradient.
            float* target = head.features.host() + count * size;
            const float* source = of_features.host() + count * size;
            const float of_heads = scale * static_cast<float>(weights.heads);
            parallel_chunks(count, [&](long, long begin, long end) {
                for (long i = begin; i < end; ++i) {
                    float* of_image = target + i * size;
                    const long row = i * 2 * shape(h).channels;
                    if (statistics)
                        measure_back(shape(h),
                                     head.statistics.data() + 2 * count * shape(h).channels + row,
                                     head.of_statistics.data() + row, scale, of_image);
                    else
                        std::fill_n(of_image, size, 0.0f);
                    const float ratio = of_heads * head.ratios[static_cast<std::size_t>(i)];
                    for (long k = 0; k < size; ++k)
                        of_image[k] += ratio * source[i * size + k];
                }
            });
            for_generator[h] = target;
        }
        head.solver.update(head.net->parameter_tensors(), how.learning_rate, how.beta1, how.beta2);
    }
    if (gradient != nullptr)
        eye->look_back(for_generator, embedding ? of_embeddings.data() : nullptr, count, gradient);
    return result;
}

projected_values projected_discriminator::step(const float* images, long count, std::uint64_t key,
                                               const adam_settings& how,
                                               const projected_weights& weights,
                                               gradient_memory& memory, float* gradient) {
    implementation& own = *implementation_;
    const auto whole = own.judge_by(own.sets[0], images, count, counter_random(key, 0, 0), how,
                                    weights, memory, gradient);
    projected_values result;
    result.whole = whole.losses;
    result.identities = whole.identities;
    result.statistics = whole.statistics;
    result.pairs = whole.pairs;
    if (own.sets.size() > 1) {
        const long some = std::min(
            count, static_cast<long>(std::ceil(own.detail_share * static_cast<double>(count))));
        const std::uint64_t of_details = counter_random(key, 0, 1);
        own.magnify(images, count, some, of_details);
        own.of_details.set_size(some, image_channels, image_size, image_size);
        projected_weights of_parts;
        of_parts.heads = weights.heads;
        of_parts.statistics = weights.statistics;
        const auto parts =
            own.judge_by(own.sets[1], own.details.host(), some, of_details, how, of_parts, memory,
                         gradient ? own.of_details.host_write_only() : nullptr);
        result.details = parts.losses;
        result.statistics = (whole.statistics + parts.statistics) / 2;
        if (gradient != nullptr)
            own.reduce(some, of_details, gradient);
    }
    return result;
}

namespace {

// Calls f(name, head) for each head of a set.
template <typename heads_type, typename F>
void each_head(const std::string& prefix, std::size_t set, heads_type& heads, F&& f) {
    for (std::size_t h = 0; h < heads.size(); ++h)
        f(prefix + (set == 0 ? "whole" : "detail") + std::to_string(h + 1) + ".", heads[h]);
}

} // namespace

void projected_discriminator::add_state(const std::string& prefix, named_tensors& state) {
    implementation_->identities.add_state(prefix + "identities.", state);
    for (std::size_t set = 0; set < implementation_->sets.size(); ++set)
        each_head(prefix, set, implementation_->sets[set],
                  [&](const std::string& name, auto& head) {
                      add_with_prefix(name, head.net->parameters(), state);
                      head.solver.add_state(name + "solver.", state);
                      state[name + "scale"] = scalar(head.scale);
                      head.distance->add_state(name + "statistics.", state);
                  });
}

void projected_discriminator::load_state(const std::string& prefix, const named_tensors& state) {
    // A run can take a distance up in its midst, and the details.
    const auto load = [&](const std::string& name, energy_distance& distance) {
        distance.reset();
        if (!with_prefix(name, state).empty())
            distance.load_state(name, state);
    };
    load(prefix + "identities.", implementation_->identities);
    for (std::size_t set = 0; set < implementation_->sets.size(); ++set) {
        if (set > 0 && with_prefix(prefix + "detail", state).empty())
            continue;
        each_head(
            prefix, set, implementation_->sets[set], [&](const std::string& name, auto& head) {
                named_tensors parameters;
                for (auto& [key, tensor] : with_prefix(name, state))
                    if (key.rfind("solver.", 0) != 0 && key.rfind("statistics.", 0) != 0 &&
                        key != "scale")
                        parameters[key] = tensor;
                head.net->set_parameters(parameters);
                head.solver.load_state(name + "solver.", head.net->parameter_tensors(), state);
                head.scale = read_number(state, name + "scale");
                load(name + "statistics.", *head.distance);
            });
    }
}

} // namespace ffgan
