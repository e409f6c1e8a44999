// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/projected_discriminator.h"

#include "base/random.h"
#include "base/shapes.h"
#include "base/threads.h"
#include "networks/feature_heads.h"
#include "training/gradient_sum.h"
#include "training/magnified_parts.h"
#include "training/output_scale.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace ffgan {
namespace {

// How far R1 looks from an image's features, in their standard deviations.
constexpr double penalty_distance = 0.01;

float inverse_deviation(const float* values, long size, const ranks& all) {
    double sums[] = {0, 0, static_cast<double>(size)};
    for (long i = 0; i < size; ++i) {
        sums[0] += values[i];
        sums[1] += static_cast<double>(values[i]) * values[i];
    }
    all.sum(sums, 3);
    const double n = sums[2], variance = sums[1] / n - sums[0] / n * (sums[0] / n);
    return variance > 0 ? static_cast<float>(1 / std::sqrt(variance)) : 1;
}

struct head {
    std::unique_ptr<network> net;
    adam solver;
    float scale = 0; // of the features, for a deviation of 1; 0: not measured yet
    dlib::resizable_tensor features, score_gradient;
    std::vector<float> ratios;
};

// The heads for whole images, or those for magnified parts: one for each scale.
struct head_set {
    std::string name; // in the training state
    std::vector<head> heads;
    feature_distances distances;

    std::vector<layer_parameters> parameters_as_backward_has_them() {
        std::vector<layer_parameters> result;
        for (head& one : heads)
            for (const layer_parameters& layer : last_first(one.net->parameter_tensors()))
                result.push_back(layer);
        return result;
    }
};

} // namespace

struct projected_discriminator::implementation {
    std::unique_ptr<feature_network> backbone;
    loss_settings loss;
    double detail_share = 0;
    std::uint64_t seed = 0;
    ranks all;
    gradient_sum gradients;
    std::vector<head_set> sets; // for whole images, and for details
    dlib::resizable_tensor details, of_details;

    explicit implementation(const ranks& of) : all(of), gradients(of) {}

    const feature_shape& shape(std::size_t scale) const { return backbone->shapes()[scale]; }

    // Writes the features of `count` images where each head keeps those of image `first` and on,
    // and their embeddings where these are wanted.
    void forward(std::vector<head>& heads, const float* images, long count, long first,
                 float* embeddings) {
        std::vector<float*> targets;
        for (std::size_t h = 0; h < heads.size(); ++h)
            targets.push_back(heads[h].features.host() + first * shape(h).size());
        backbone->forward(images, count, targets, embeddings);
    }

    // One pass and one update of a set of heads; see projected_discriminator::step.
    loss_values update(head_set& set, const float* images, long whole, std::uint64_t key,
                       const adam_settings& rates, const projected_weights& weights,
                       gradient_memory& memory, float* gradient);
};

projected_discriminator::projected_discriminator(std::unique_ptr<feature_network> backbone,
                                                 const loss_settings& loss, double detail_share,
                                                 std::uint64_t seed, const ranks& all)
    : implementation_(std::make_unique<implementation>(all)) {
    implementation& own = *implementation_;
    own.loss = loss;
    own.loss.distance = penalty_distance;
    own.detail_share = detail_share;
    own.seed = seed;
    own.backbone = std::move(backbone);
    for (const char* name : {"whole", "detail"}) {
        if (detail_share == 0 && !own.sets.empty())
            break;
        const std::vector<feature_shape>& shapes = own.backbone->shapes();
        // What a part shows is no whole face.
        const long embedding_size = own.sets.empty() ? own.backbone->embedding_size() : 0;
        own.sets.push_back({name, {}, feature_distances(shapes, embedding_size, all)});
        for (const feature_shape& shape : shapes) {
            own.sets.back().heads.emplace_back();
            own.sets.back().heads.back().net = make_feature_head(shape);
            own.sets.back().heads.back().net->set_gradient_listener(&own.gradients);
        }
    }
    reset();
}

projected_discriminator::~projected_discriminator() = default;

void projected_discriminator::reset() {
    std::uint64_t number = 0;
    for (head_set& set : implementation_->sets) {
        set.distances.reset();
        for (head& head : set.heads) {
            head.net->initialise(counter_random(implementation_->seed, 0, number++));
            head.solver = adam();
            head.scale = 0;
        }
    }
}

loss_values projected_discriminator::implementation::update(
    head_set& set, const float* images, long whole, std::uint64_t key, const adam_settings& rates,
    const projected_weights& weights, gradient_memory& memory, float* gradient) {
    const long count = all.own(whole), penalised = all.own(penalised_images(loss, whole));
    for (std::size_t h = 0; h < set.heads.size(); ++h)
        set.heads[h].features.set_size(2 * count + penalised, shape(h).channels, shape(h).side,
                                       shape(h).side);
    feature_distances& distances = set.distances;
    distances.begin(whole, weights.distances);
    forward(set.heads, images, count, 0, distances.real_embeddings());
    forward(set.heads, images + count * image_values, count, count, distances.fake_embeddings());
    distances.compare_embeddings();

    loss_values losses;
    std::vector<const float*> for_generator(set.heads.size());
    gradients.begin(set.parameters_as_backward_has_them());
    const double share = 1.0 / static_cast<double>(set.heads.size());
    for (std::size_t h = 0; h < set.heads.size(); ++h) {
        head& head = set.heads[h];
        const long size = shape(h).size();
        float* features = head.features.host();
        const bool first = head.scale == 0;
        if (first)
            head.scale = inverse_deviation(features, count * size, all);
        const float scale = head.scale;
        parallel_chunks(2 * count * size, [=](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                features[i] *= scale;
        });
        add_signs(all, features, penalised, size,
                  counter_random(key, 0, static_cast<std::uint64_t>(h)), loss.distance,
                  features + 2 * count * size);
        distances.compare_statistics(h, features);

        if (first)
            initialise_output_scale(*head.net, head.net->forward(head.features), all);
        const dlib::tensor& scores = head.net->forward(head.features);
        head.score_gradient.copy_size(scores);
        const loss_values values =
            judge(loss, scores, all, whole, head.score_gradient, head.ratios);
        losses.loss_d += values.loss_d * share;
        losses.loss_g += values.loss_g * share;
        losses.accuracy_real += values.accuracy_real * share;
        losses.accuracy_fake += values.accuracy_fake * share;
        losses.penalty += values.penalty * share;

        head.net->set_data_gradient(gradient != nullptr);
        head.net->set_images_with_gradient({count, 2 * count});
        const dlib::tensor& of_features =
            head.net->backward(head.features, head.score_gradient, memory);
        if (gradient != nullptr) {
            // The features of the fakes have served: their place takes G's gradient.
            float* target = head.features.host() + count * size;
            const float* source = of_features.host() + count * size;
            const float factor = scale * static_cast<float>(weights.heads);
            parallel_chunks(count, [&](long, long begin, long end) {
                for (long i = begin; i < end; ++i) {
                    float* of_image = target + i * size;
                    distances.write_gradient(h, i, scale, of_image);
                    const float ratio = factor * head.ratios[static_cast<std::size_t>(i)];
                    for (long k = 0; k < size; ++k)
                        of_image[k] += ratio * source[i * size + k];
                }
            });
            for_generator[h] = target;
        }
    }
    if (gradient != nullptr)
        backbone->backward(for_generator, distances.embedding_gradient(), count, gradient);
    gradients.finish();
    for (head& head : set.heads)
        head.solver.update(head.net->parameter_tensors(), rates.learning_rate, rates.beta1,
                           rates.beta2);
    return losses;
}

projected_values projected_discriminator::step(const float* images, long whole, std::uint64_t key,
                                               const adam_settings& rates,
                                               const projected_weights& weights,
                                               gradient_memory& memory, float* gradient) {
    implementation& own = *implementation_;
    projected_values result;
    result.whole = own.update(own.sets[0], images, whole, counter_random(key, 0, 0), rates, weights,
                              memory, gradient);
    result.distances = own.sets[0].distances.values();
    if (own.sets.size() > 1) {
        const long some_of_all = std::min(
            whole, static_cast<long>(std::ceil(own.detail_share * static_cast<double>(whole))));
        const long count = own.all.own(whole), some = own.all.own(some_of_all);
        const std::uint64_t of_details = counter_random(key, 0, 1);
        magnify(images, count, some, of_details, own.all, own.details);
        own.of_details.set_size(some, image_channels, image_size, image_size);
        projected_weights of_parts;
        of_parts.heads = weights.heads;
        of_parts.distances.statistics = weights.distances.statistics;
        result.details =
            own.update(own.sets[1], own.details.host(), some_of_all, of_details, rates, of_parts,
                       memory, gradient ? own.of_details.host_write_only() : nullptr);
        result.distances.statistics =
            (result.distances.statistics + own.sets[1].distances.values().statistics) / 2;
        if (gradient != nullptr)
            magnify_adjoint(own.of_details.host(), some, of_details, own.all, gradient);
    }
    return result;
}

void projected_discriminator::add_state(const std::string& prefix, named_tensors& state) {
    for (head_set& set : implementation_->sets) {
        const std::string of_set = prefix + set.name;
        set.distances.add_state(prefix + "identities.", of_set, state);
        for (std::size_t h = 0; h < set.heads.size(); ++h) {
            const head& head = set.heads[h];
            const std::string name = of_set + std::to_string(h + 1) + ".";
            add_with_prefix(name, head.net->parameters(), state);
            head.solver.add_state(name + "solver.", state);
            state[name + "scale"] = scalar(head.scale);
        }
    }
}

void projected_discriminator::load_state(const std::string& prefix, const named_tensors& state) {
    for (head_set& set : implementation_->sets) {
        const std::string of_set = prefix + set.name;
        // A run can take the details up in its midst, and a distance.
        if (&set != &implementation_->sets.front() && with_prefix(of_set, state).empty())
            continue;
        set.distances.load_state(prefix + "identities.", of_set, state);
        for (std::size_t h = 0; h < set.heads.size(); ++h) {
            head& head = set.heads[h];
            const std::string name = of_set + std::to_string(h + 1) + ".";
            named_tensors parameters;
            for (const auto& own_one : head.net->parameters())
                if (const auto found = state.find(name + own_one.first); found != state.end())
                    parameters[own_one.first] = found->second;
            head.net->set_parameters(parameters);
            head.solver.load_state(name + "solver.", head.net->parameter_tensors(), state);
            head.scale = read_number(state, name + "scale");
        }
    }
}

} // namespace ffgan
