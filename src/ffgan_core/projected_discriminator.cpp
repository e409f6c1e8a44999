// SPDX-License-Identifier: GPL-3.0-or-later
#include "projected_discriminator.h"

#include "adam.h"
#include "random.h"
#include "recognition_network.h"
#include "shapes.h"
#include "threads.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace ffgan {
namespace {

constexpr int head_count = 3;

// How far R1 looks from an image's features, in their standard deviations.
constexpr double penalty_distance = 0.01;

// What the heads see of one image.
struct features_shape {
    long channels, side;
    long size() const { return channels * side * side; }
};
constexpr std::array<features_shape, head_count> shapes = {{{32, 38}, {64, 19}, {128, 9}}};

// The recognition network on some of the images, with its activations.
struct eye {
    recognition::coarse net;
    dlib::resizable_tensor x;

    // Calls f(head, layer) with the layer that each head reads.
    template <typename F> void each_layer(F&& f) {
        f(0, recognition::find<recognition::fine>(net));
        f(1, recognition::find<recognition::middle>(net));
        f(2, net);
    }
};

float inverse_deviation(const float* values, long size) {
    double sum = 0, squares = 0;
    for (long i = 0; i < size; ++i) {
        sum += values[i];
        squares += static_cast<double>(values[i]) * values[i];
    }
    const double n = static_cast<double>(size), variance = squares / n - sum / n * (sum / n);
    return variance > 0 ? static_cast<float>(1 / std::sqrt(variance)) : 1;
}

} // namespace

struct projected_discriminator::implementation {
    struct head {
        std::unique_ptr<network> net;
        adam solver;
        float scale = 0; // of the features, for a deviation of 1; 0: not measured yet
        dlib::resizable_tensor features, score_gradient;
        std::vector<float> ratios;
    };

    loss_settings loss;
    std::uint64_t seed = 0;
    std::array<head, head_count> heads;
    std::vector<std::unique_ptr<eye>> eyes; // one for each thread

    // Calls f(eye, begin, end) for a part of the images each. An image's features depend on no
    // other image, so they are the same however many parts there are.
    template <typename F> void each_part(long count, F&& f) {
#ifdef DLIB_USE_CUDA
        f(*eyes.front(), 0, count); // there is one device, not many cores
#else
        while (static_cast<long>(eyes.size()) < std::min(count, threads()))
            eyes.push_back(std::make_unique<eye>(*eyes.front()));
        parallel_chunks(count, [&](long part, long begin, long end) {
            f(*eyes[static_cast<std::size_t>(part)], begin, end);
        });
#endif
    }

    // Writes the features of `count` images where each head keeps those of image `first` and on.
    void see(const float* images, long count, long first) {
        std::array<float*, head_count> targets;
        for (int h = 0; h < head_count; ++h)
            targets[h] = heads[h].features.host() + first * shapes[h].size();
        each_part(count, [&](eye& mine, long begin, long end) {
            constexpr long plane = image_size * image_size;
            // As the network's own input layer makes a tensor of pixels, which divides by 256 too.
            const auto& input = mine.net.input_layer();
            const std::array<float, image_channels> mean = {input.get_avg_red() * pixel_to_input,
                                                            input.get_avg_green() * pixel_to_input,
                                                            input.get_avg_blue() * pixel_to_input};
            mine.x.set_size(end - begin, image_channels, image_size, image_size);
            const float* source = images + begin * image_values;
            float* x = mine.x.host_write_only();
            for (long i = 0; i < (end - begin) * image_values; ++i)
                x[i] = source[i] - mean[static_cast<std::size_t>(i / plane % image_channels)];
            mine.net.forward(mine.x);
            mine.each_layer([&](int h, const auto& layer) {
                const dlib::tensor& output = layer.get_output();
                std::copy_n(output.host(), output.size(), targets[h] + begin * shapes[h].size());
            });
        });
    }

    // From gradients with respect to the features of the images seen last, that with respect to the
    // images.
    void look_back(const std::array<const float*, head_count>& gradients, long count,
                   float* of_images) {
        each_part(count, [&](eye& mine, long begin, long end) {
            mine.each_layer([&](int h, auto& layer) {
                dlib::tensor& gradient = layer.get_gradient_input(); // zeroed by dlib
                std::copy_n(gradients[h] + begin * shapes[h].size(), gradient.size(),
                            gradient.host());
            });
            mine.net.back_propagate_error(mine.x);
            const dlib::tensor& result = mine.net.get_final_data_gradient();
            std::copy_n(result.host(), result.size(), of_images + begin * image_values);
        });
    }
};

projected_discriminator::projected_discriminator(const std::string& recognition,
                                                 const loss_settings& loss, std::uint64_t seed)
    : implementation_(std::make_unique<implementation>()) {
    implementation_->loss = loss;
    implementation_->loss.distance = penalty_distance;
    implementation_->seed = seed;
    recognition::network whole;
    try {
        dlib::deserialize(recognition) >> whole;
    } catch (const dlib::serialization_error& error) {
        throw std::invalid_argument(error.what());
    }
    auto first = std::make_unique<eye>();
    first->net = recognition::find<recognition::coarse>(whole);
    dlib::set_all_learning_rate_multipliers(first->net, 0); // no gradients of its parameters
    implementation_->eyes.push_back(std::move(first));
    for (int h = 0; h < head_count; ++h)
        implementation_->heads[h].net = make_feature_head(h);
    reset();
}

projected_discriminator::~projected_discriminator() = default;

void projected_discriminator::reset() {
    for (int h = 0; h < head_count; ++h) {
        auto& head = implementation_->heads[h];
        head.net->initialise(
            counter_random(implementation_->seed, 0, static_cast<std::uint64_t>(h)));
        head.solver = adam();
        head.scale = 0;
    }
}

loss_values projected_discriminator::step(const float* images, long count, std::uint64_t key,
                                          double learning_rate, double beta1, double beta2,
                                          gradient_memory& memory, float* gradient) {
    implementation& own = *implementation_;
    const long penalised = penalised_images(own.loss, count);
    for (int h = 0; h < head_count; ++h)
        own.heads[h].features.set_size(2 * count + penalised, shapes[h].channels, shapes[h].side,
                                       shapes[h].side);
    own.see(images, count, 0);
    own.see(images + count * image_values, count, count);

    loss_values result;
    std::array<const float*, head_count> for_generator{};
    for (int h = 0; h < head_count; ++h) {
        auto& head = own.heads[h];
        const long size = shapes[h].size();
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
                  own.loss.distance, features + 2 * count * size);

        if (first)
            calm_scores(*head.net, head.net->forward(head.features));
        const dlib::tensor& scores = head.net->forward(head.features);
        head.score_gradient.copy_size(scores);
        const loss_values values = judge(own.loss, scores, count, head.score_gradient, head.ratios);
        result.loss_d += values.loss_d / head_count;
        result.loss_g += values.loss_g / head_count;
        result.accuracy_real += values.accuracy_real / head_count;
        result.accuracy_fake += values.accuracy_fake / head_count;
        result.penalty += values.penalty / head_count;

        head.net->set_data_gradient(gradient != nullptr);
        const dlib::tensor& of_features =
            head.net->backward(head.features, head.score_gradient, memory);
        if (gradient != nullptr) {
            // The features of the fakes have served: their place takes G's gradient.
            const float* source = of_features.host() + count * size;
            float* target = head.features.host() + count * size;
            const float* ratios = head.ratios.data();
            parallel_chunks(count * size, [=](long, long begin, long end) {
                for (long i = begin; i < end; ++i)
                    target[i] = ratios[i / size] * scale * source[i];
            });
            for_generator[h] = target;
        }
        head.solver.update(head.net->parameter_tensors(), learning_rate, beta1, beta2);
    }
    if (gradient != nullptr)
        own.look_back(for_generator, count, gradient);
    return result;
}

namespace {

std::string head_name(const std::string& prefix, int h) {
    return prefix + "head" + std::to_string(h + 1) + ".";
}
std::string solver_name(const std::string& prefix, int h) {
    return prefix + "solver" + std::to_string(h + 1) + ".";
}
std::string scale_name(const std::string& prefix, int h) {
    return prefix + "scale" + std::to_string(h + 1);
}

} // namespace

void projected_discriminator::add_state(const std::string& prefix, named_tensors& state) {
    for (int h = 0; h < head_count; ++h) {
        auto& head = implementation_->heads[h];
        add_with_prefix(head_name(prefix, h), head.net->parameters(), state);
        head.solver.add_state(solver_name(prefix, h), state);
        state[scale_name(prefix, h)] = scalar(head.scale);
    }
}

void projected_discriminator::load_state(const std::string& prefix, const named_tensors& state) {
    for (int h = 0; h < head_count; ++h) {
        auto& head = implementation_->heads[h];
        head.net->set_parameters(with_prefix(head_name(prefix, h), state));
        head.solver.load_state(solver_name(prefix, h), head.net->parameter_tensors(), state);
        head.scale = read_number(state, scale_name(prefix, h));
    }
}

} // namespace ffgan
