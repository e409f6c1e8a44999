// SPDX-License-Identifier: GPL-3.0-or-later
#include "trainer.h"

#include "generator.h"
#include "pixels.h"
#include "pyramid_loss.h"
#include "random.h"
#include "shapes.h"
#include "threads.h"

#include <dlib/cuda/tensor_tools.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ffgan {
namespace {

// The warm start's Adam, as it was measured to work; see docs/training.md.
constexpr double reconstruction_beta1 = 0.9;
constexpr double reconstruction_beta2 = 0.99;

constexpr long statistics_batch = 32;

// What of a step draws random numbers, each from a stream of its own.
enum stream : std::uint64_t { real_pass, fake_pass, fool_pass, streams };

void require(bool condition, const char* message) {
    if (!condition)
        throw std::invalid_argument(message);
}

double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

named_tensors with_prefix(const std::string& prefix, const named_tensors& all) {
    named_tensors result;
    for (auto i = all.lower_bound(prefix); i != all.end() && i->first.rfind(prefix, 0) == 0; ++i)
        result[i->first.substr(prefix.size())] = i->second;
    return result;
}

void add_with_prefix(const std::string& prefix, const named_tensors& some, named_tensors& all) {
    for (const auto& [name, tensor] : some)
        all[prefix + name] = tensor;
}

void to_tensor(const float* latents, long count, dlib::resizable_tensor& x) {
    x.set_size(count, latent_size, 1, 1);
    std::copy_n(latents, count * latent_size, x.host_write_only());
}

// to = factor * from; to may be from.
void multiply(const dlib::tensor& from, float factor, dlib::tensor& to) {
#ifdef DLIB_USE_CUDA
    dlib::tt::affine_transform(to, from, factor);
#else
    const float* source = from.host();
    float* target = to.host();
    parallel_chunks(static_cast<long>(from.size()), [=](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            target[i] = factor * source[i];
    });
#endif
}

// values = keep * values + (1 - keep) * towards.
void move(dlib::tensor& values, const dlib::tensor& towards, float keep) {
#ifdef DLIB_USE_CUDA
    dlib::tt::affine_transform(values, values, towards, keep, 1 - keep);
#else
    const float* source = towards.host();
    float* target = values.host();
    parallel_chunks(static_cast<long>(values.size()), [=](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            target[i] = keep * target[i] + (1 - keep) * source[i];
    });
#endif
}

} // namespace

trainer::trainer(const trainer_settings& settings) : settings_(settings) {
    require(settings.discriminator == "program" || settings.discriminator == "table",
            "discriminator is neither program nor table");
    require(settings.beta1 >= 0 && settings.beta1 < 1, "beta1 is not in [0, 1)");
    require(settings.beta2 >= 0 && settings.beta2 < 1, "beta2 is not in [0, 1)");
    require(settings.label_smoothing >= 0 && settings.label_smoothing < 1,
            "label_smoothing is not in [0, 1)");
    require(settings.dropout >= 0 && settings.dropout < 1, "dropout is not in [0, 1)");
    require(settings.ema >= 0 && settings.ema < 1, "ema is not in [0, 1)");
    set_learning_rates(settings.learning_rate_g, settings.learning_rate_d);
    augmentation(settings.augment, 0, 1, image_size, image_size); // throws when out of range

    generator_ = make_network("generator");
    generator_->initialise(counter_random(settings.seed, streams, 0));
    generator_->set_data_gradient(false);
    averaged_ = make_network("generator");
    averaged_->set_parameters(generator_->parameters());
    discriminator_ = make_network(settings.discriminator);
    discriminator_->set_dropout(static_cast<float>(settings.dropout));
    reset_discriminator();
}

void trainer::set_learning_rates(double generator, double discriminator) {
    require(generator > 0 && generator < 1, "learning_rate_g is not in (0, 1)");
    require(discriminator > 0 && discriminator < 1, "learning_rate_d is not in (0, 1)");
    settings_.learning_rate_g = generator;
    settings_.learning_rate_d = discriminator;
}

void trainer::reset_discriminator() {
    discriminator_->initialise(counter_random(settings_.seed, streams, 1));
    solver_d_ = adam();
}

trainer::judgement trainer::discriminate(target goal) {
    const stream pass = goal == target::real   ? real_pass
                        : goal == target::fake ? fake_pass
                                               : fool_pass;
    const std::uint64_t key = counter_random(settings_.seed, streams + 1,
                                             static_cast<std::uint64_t>(steps_) * streams + pass);
    const long count = static_cast<long>(images_.num_samples());
    const bool fool = goal == target::fool;

    const augmentation changes(settings_.augment, counter_random(key, 0, 0), count, image_size,
                               image_size);
    const bool augmenting = !settings_.augment.empty();
    if (augmenting) {
        augmented_.copy_size(images_);
        memcpy(augmented_, images_);
        changes.apply(augmented_, 0.5f * sigmoid_to_input);
    }
    const dlib::tensor& seen = augmenting ? augmented_ : images_;

    discriminator_->set_dropout_key(counter_random(key, 1, 0));
    discriminator_->set_mode(fool ? mode::frozen_statistics : mode::training);
    const dlib::tensor& scores = discriminator_->forward(seen);

    double loss = 0;
    long correct = 0;
    score_gradient_.copy_size(scores);
    const float* s = scores.host();
    float* g = score_gradient_.host_write_only();
    for (long i = 0; i < count; ++i) {
        const double sign = goal == target::fake ? -1 : 1; // of the score that is asked for
        double slope = 0;
        if (settings_.loss == adversarial_loss::logistic) {
            const double smooth = goal == target::real ? settings_.label_smoothing : 0;
            loss += (1 - smooth) * softplus(-sign * s[i]) + smooth * softplus(sign * s[i]);
            slope = sign * (smooth * logistic(sign * s[i]) - (1 - smooth) * logistic(-sign * s[i]));
        } else if (fool) {
            loss += -s[i];
            slope = -1;
        } else {
            loss += std::max(0.0, 1 - sign * s[i]);
            slope = sign * s[i] < 1 ? -sign : 0;
        }
        g[i] = static_cast<float>(slope / static_cast<double>(count));
        correct += sign * s[i] > 0;
    }

    discriminator_->set_parameter_gradients(!fool);
    discriminator_->set_data_gradient(fool);
    dlib::tensor& image_gradient = discriminator_->backward(seen, score_gradient_, gradients_);
    if (fool && augmenting)
        changes.adjoint(image_gradient);
    return {loss / static_cast<double>(count),
            static_cast<double>(correct) / static_cast<double>(count), &image_gradient};
}

step_result trainer::step(const std::uint8_t* real, const float* latents, long count,
                          bool update_generator, const anchor& anchored) {
    require(count >= 2, "a step takes at least two images");
    step_result result;
    const std::vector<layer_parameters> d = discriminator_->parameter_tensors();
    const std::vector<layer_parameters> g = generator_->parameter_tensors();
    auto update_d = [&] {
        solver_d_.update(d, settings_.learning_rate_d, settings_.beta1, settings_.beta2);
    };

    // D on real images.
    pixels_to_planes(real, count, pixel_to_input, images_);
    const judgement of_real = discriminate(target::real);
    std::vector<dlib::resizable_tensor> real_gradients;
    if (settings_.joint_update)
        for (const layer_parameters& layer : d)
            real_gradients.emplace_back(*layer.gradient);
    else
        update_d();

    // D on G's fakes.
    to_tensor(latents, count, latents_);
    generator_->set_mode(update_generator ? mode::training : mode::frozen_statistics);
    const dlib::tensor& fakes = generator_->forward(latents_);
    images_.copy_size(fakes);
    multiply(fakes, sigmoid_to_input, images_);
    const judgement of_fake = discriminate(target::fake);
    result.loss_d = of_real.loss + of_fake.loss;
    result.accuracy_real = of_real.accuracy;
    result.accuracy_fake = of_fake.accuracy;
    for (std::size_t i = 0; i < real_gradients.size(); ++i)
        dlib::tt::add(*d[i].gradient, *d[i].gradient, real_gradients[i]);
    update_d();

    // G through D.
    if (update_generator) {
        const judgement of_fool = discriminate(target::fool);
        result.loss_g = of_fool.loss;
        multiply(*of_fool.image_gradient, sigmoid_to_input, *of_fool.image_gradient);
        generator_->backward(latents_, *of_fool.image_gradient, gradients_);
        if (anchored.count > 0 && anchored.weight > 0) {
            std::vector<dlib::resizable_tensor> adversarial;
            for (const layer_parameters& layer : g)
                adversarial.emplace_back(*layer.gradient);
            to_tensor(anchored.latents, anchored.count, latents_);
            pixels_to_planes(anchored.images, anchored.count, 1 / 255.0f, images_);
            const dlib::tensor& drawn = generator_->forward(latents_);
            pyramid_loss(drawn, images_, image_gradient_);
            multiply(image_gradient_, static_cast<float>(anchored.weight), image_gradient_);
            generator_->backward(latents_, image_gradient_, gradients_);
            for (std::size_t i = 0; i < g.size(); ++i)
                dlib::tt::add(*g[i].gradient, *g[i].gradient, adversarial[i]);
        }
        solver_g_.update(g, settings_.learning_rate_g, settings_.beta1, settings_.beta2);
        update_average();
    }
    ++steps_;
    return result;
}

double trainer::reconstruct(const float* latents, const std::uint8_t* images, long count,
                            double learning_rate) {
    require(count >= 2, "a step takes at least two images");
    require(learning_rate > 0 && learning_rate < 1, "learning_rate is not in (0, 1)");
    to_tensor(latents, count, latents_);
    pixels_to_planes(images, count, 1 / 255.0f, images_);
    generator_->set_mode(mode::training);
    const double loss = pyramid_loss(generator_->forward(latents_), images_, image_gradient_);
    generator_->backward(latents_, image_gradient_, gradients_);
    solver_reconstruction_.update(generator_->parameter_tensors(), learning_rate,
                                  reconstruction_beta1, reconstruction_beta2);
    update_average();
    ++steps_;
    return loss;
}

void trainer::update_average() {
    // A short memory first: the average would else remember the random start for long.
    const double n = static_cast<double>(steps_);
    const double keep = std::min(settings_.ema, (1 + n) / (10 + n));
    const std::vector<layer_parameters> live = generator_->parameter_tensors();
    const std::vector<layer_parameters> average = averaged_->parameter_tensors();
    for (std::size_t i = 0; i < live.size(); ++i)
        move(*average[i].values, *live[i].values, static_cast<float>(keep));
}

void trainer::estimate_statistics(const float* latents, long count) {
    require(count >= 2, "statistics take at least two latents");
    // The one does not run while the other does.
    generator_->release_memory();
    averaged_->set_statistics_updates(0);
    averaged_->set_mode(mode::training);
    dlib::resizable_tensor x;
    for (long begin = 0; begin + 2 <= count; begin += statistics_batch) {
        const long batch = std::min(statistics_batch, count - begin);
        to_tensor(latents + begin * latent_size, batch, x);
        averaged_->forward(x);
    }
    averaged_->release_memory();
}

void trainer::sample(const float* latents, long count, bool averaged, std::uint8_t* pixels) {
    generator(parameters(averaged ? "averaged" : "generator")).generate(latents, count, pixels);
}

network& trainer::find(const std::string& which) {
    if (which == "generator")
        return *generator_;
    if (which == "averaged")
        return *averaged_;
    if (which == "discriminator")
        return *discriminator_;
    throw std::invalid_argument("there is no network '" + which +
                                "': choose generator, averaged or discriminator");
}

named_tensors trainer::parameters(const std::string& which) { return find(which).parameters(); }

void trainer::set_parameters(const std::string& which, const named_tensors& parameters) {
    find(which).set_parameters(parameters);
}

named_tensors trainer::gradients(const std::string& which) { return find(which).gradients(); }

named_tensors trainer::state() {
    named_tensors state;
    for (const char* which : {"generator", "averaged", "discriminator"}) {
        network& net = find(which);
        add_with_prefix(std::string(which) + ".", net.parameters(), state);
        state[std::string("counters.statistics_") + which] =
            scalar(static_cast<double>(net.statistics_updates()));
    }
    solver_g_.add_state("solver_g.", state);
    solver_d_.add_state("solver_d.", state);
    solver_reconstruction_.add_state("solver_reconstruction.", state);
    state["counters.steps"] = scalar(static_cast<double>(steps_));
    return state;
}

void trainer::load_state(const named_tensors& state) {
    for (const char* which : {"generator", "averaged", "discriminator"}) {
        network& net = find(which);
        net.set_parameters(with_prefix(std::string(which) + ".", state));
        net.set_statistics_updates(static_cast<unsigned long>(
            read_counter(state, std::string("counters.statistics_") + which)));
    }
    const std::vector<layer_parameters> g = generator_->parameter_tensors();
    solver_g_.load_state("solver_g.", g, state);
    solver_d_.load_state("solver_d.", discriminator_->parameter_tensors(), state);
    solver_reconstruction_.load_state("solver_reconstruction.", g, state);
    steps_ = read_counter(state, "counters.steps");
}

} // namespace ffgan
