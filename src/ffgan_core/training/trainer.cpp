// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/trainer.h"

#include "losses/chroma_detail.h"
#include "pretrained/face_features.h"
#include "training/gaussian_blur.h"
#include "inference/generator.h"
#include "losses/grid_unevenness.h"
#include "pretrained/imagenet_features.h"
#include "losses/patch_distance.h"
#include "networks/pixels.h"
#include "losses/pyramid_loss.h"
#include "base/random.h"
#include "training/resize_convolution.h"
#include "base/shapes.h"
#include "base/threads.h"

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

// How far R1 looks from an image, whose pixels are from 0 to 1.
constexpr double penalty_distance = 0.001;

constexpr double largest_blur = 16;

// What of a step draws random numbers, each from a stream of its own.
enum stream : std::uint64_t { real_pass, fake_pass, fool_pass, streams };
constexpr stream projected_pass = fool_pass; // with fixed norms there is no such pass
constexpr std::uint64_t imagenet_stream = 3; // of its key; 0 to 2 are used with it itself

void require(bool condition, const char* message) {
    if (!condition)
        throw std::invalid_argument(message);
}

void to_tensor(const float* latents, long count, dlib::resizable_tensor& x) {
    x.set_size(count, latent_size, 1, 1);
    std::copy_n(latents, count * latent_size, x.host_write_only());
}

// The transposed convolutions that double the side, with the number of their kernels. They are
// those with 4x4 kernels but for the first, which spreads one pixel over 4x4.
std::map<std::string, long> doubling_layers(const named_tensors& generator) {
    std::map<std::string, long> result;
    for (const auto& [name, tensor] : generator) {
        const std::vector<long>& shape = tensor.shape; // inputs, outputs, rows, columns
        if (shape.size() == 4 && shape[2] == 4 && shape[0] != latent_size)
            result[name.substr(0, name.find('.'))] = shape[0] * shape[1];
    }
    return result;
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
    const bool fixed = settings.norm == discriminator_norm::fixed;
    require(settings.gradient_penalty >= 0, "gradient_penalty is below 0");
    require(settings.gradient_penalty == 0 || fixed, "gradient_penalty needs fixed norms");
    require(settings.adversarial_weight >= 0, "adversarial_weight is below 0");
    require(settings.texture_weight >= 0, "texture_weight is below 0");
    require(settings.chroma_weight >= 0, "chroma_weight is below 0");
    require(settings.grid_weight >= 0, "grid_weight is below 0");
    require(settings.smooth_upsampling >= 0 && settings.smooth_upsampling <= 1,
            "smooth_upsampling is not in [0, 1]");
    require(settings.loss != adversarial_loss::relativistic || fixed,
            "the relativistic loss needs fixed norms");
    require(settings.loss != adversarial_loss::hinge || !fixed,
            "the hinge loss needs norms by the batch");
    require(settings.projected_weight >= 0, "projected_weight is below 0");
    require(settings.projected_weight == 0 || fixed, "projected_weight needs fixed norms");
    require(settings.projected_penalty >= 0, "projected_penalty is below 0");
    require(settings.projected_details >= 0 && settings.projected_details <= 1,
            "projected_details is not in [0, 1]");
    require(settings.identity_weight >= 0, "identity_weight is below 0");
    require(settings.identity_weight == 0 || settings.projected_weight > 0,
            "identity_weight needs projected_weight");
    require(settings.matching_weight >= 0, "matching_weight is below 0");
    const bool projected = settings.projected_weight > 0 || settings.imagenet_weight > 0;
    require(settings.matching_weight == 0 || projected,
            "matching_weight needs projected_weight or imagenet_weight");
    require(settings.perceptual_weight >= 0, "perceptual_weight is below 0");
    require(settings.perceptual_weight == 0 || projected,
            "perceptual_weight needs projected_weight or imagenet_weight");
    require(settings.imagenet_weight >= 0, "imagenet_weight is below 0");
    require(settings.imagenet_weight == 0 || fixed, "imagenet_weight needs fixed norms");
    set_learning_rates(settings.learning_rate_g, settings.learning_rate_d);
    augmentation(settings.augment, 0, 1, image_size, image_size); // throws when out of range

    generator_ = make_network("generator");
    generator_->initialise(counter_random(settings.seed, streams, 0));
    generator_->set_data_gradient(false);
    const named_tensors initial = generator_->parameters();
    doubling_ = doubling_layers(initial);
    averaged_ = make_network("generator");
    averaged_->set_parameters(initial);
    discriminator_ = make_network(settings.discriminator);
    discriminator_->set_dropout(static_cast<float>(settings.dropout));
    const loss_settings loss{settings.loss, settings.label_smoothing, settings.projected_penalty};
    if (settings.projected_weight > 0)
        projected_ = std::make_unique<projected_discriminator>(
            make_face_features(settings.recognition), loss, settings.projected_details,
            counter_random(settings.seed, streams, 2));
    if (settings.imagenet_weight > 0)
        imagenet_ = std::make_unique<projected_discriminator>(
            make_imagenet_features(settings.imagenet), loss, 0.0,
            counter_random(settings.seed, streams, 3));
    settings_.imagenet.clear(); // it has served
    reset_discriminator();
}

void trainer::set_learning_rates(double generator, double discriminator) {
    require(generator > 0 && generator < 1, "learning_rate_g is not in (0, 1)");
    require(discriminator > 0 && discriminator < 1, "learning_rate_d is not in (0, 1)");
    settings_.learning_rate_g = generator;
    settings_.learning_rate_d = discriminator;
}

void trainer::set_blur(double sigma) {
    require(sigma >= 0 && sigma <= largest_blur, "blur is not in [0, 16] pixels");
    blur_ = sigma;
}

void trainer::reset_discriminator() {
    discriminator_->initialise(counter_random(settings_.seed, streams, 1));
    discriminator_->set_statistics_updates(0);
    solver_d_ = adam();
    each_projected([](const char*, projected_discriminator& judge) { judge.reset(); });
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
    const bool changing = !settings_.augment.empty() || blur_ > 0;
    if (changing) {
        augmented_.copy_size(images_);
        memcpy(augmented_, images_);
        changes.apply(augmented_, 0.5f * sigmoid_to_input);
        gaussian_blur(augmented_, blur_);
    }
    const dlib::tensor& seen = changing ? augmented_ : images_;

    discriminator_->set_dropout_key(counter_random(key, 1, 0), 0);
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
    if (fool && changing) {
        gaussian_blur(image_gradient, blur_);
        changes.adjoint(image_gradient);
    }
    return {loss / static_cast<double>(count),
            static_cast<double>(correct) / static_cast<double>(count), &image_gradient};
}

void trainer::update_discriminator() {
    solver_d_.update(discriminator_->parameter_tensors(), settings_.learning_rate_d,
                     settings_.beta1, settings_.beta2);
}

step_result trainer::judge_in_turn(const std::uint8_t* real, const dlib::tensor& fakes,
                                   bool update_generator) {
    step_result result;
    const std::vector<layer_parameters> d = discriminator_->parameter_tensors();

    // D on real images.
    pixels_to_planes(real, static_cast<long>(fakes.num_samples()), pixel_to_input, images_);
    const judgement of_real = discriminate(target::real);
    std::vector<dlib::resizable_tensor> real_gradients;
    if (settings_.joint_update)
        for (const layer_parameters& layer : d)
            real_gradients.emplace_back(*layer.gradient);
    else
        update_discriminator();

    // D on G's fakes.
    images_.copy_size(fakes);
    multiply(fakes, sigmoid_to_input, images_);
    const judgement of_fake = discriminate(target::fake);
    result.loss_d = of_real.loss + of_fake.loss;
    result.accuracy_real = of_real.accuracy;
    result.accuracy_fake = of_fake.accuracy;
    for (std::size_t i = 0; i < real_gradients.size(); ++i)
        dlib::tt::add(*d[i].gradient, *d[i].gradient, real_gradients[i]);
    update_discriminator();

    // G through D.
    if (update_generator) {
        const judgement of_fool = discriminate(target::fool);
        result.loss_g = of_fool.loss;
        image_gradient_.copy_size(fakes);
        multiply(*of_fool.image_gradient, sigmoid_to_input, image_gradient_);
    }
    return result;
}

// With fixed norms the images of a batch do not touch each other, so one pass serves all; see
// adversarial_loss.h.
step_result trainer::judge_together(const std::uint8_t* real, const dlib::tensor& fakes,
                                    long anchored, bool update_generator) {
    const long count = static_cast<long>(fakes.num_samples());
    const loss_settings losses{settings_.loss, settings_.label_smoothing,
                               settings_.gradient_penalty, penalty_distance};
    const long penalised = penalised_images(losses, count);
    const std::uint64_t step_seed = static_cast<std::uint64_t>(steps_) * streams;
    const auto key = [&](stream pass) {
        return counter_random(settings_.seed, streams + 1, step_seed + pass);
    };

    // images_: real ones, fakes, and some of the real ones with a little noise.
    images_.set_size(2 * count + penalised, image_channels, image_size, image_size);
    const dlib::alias_tensor rows(count, image_channels, image_size, image_size);
    const long values = image_values;
    const auto place = [&](stream pass, long first) {
        const augmentation changes(settings_.augment, counter_random(key(pass), 0, 0), count,
                                   image_size, image_size);
        if (!settings_.augment.empty())
            changes.apply(augmented_, 0.5f * sigmoid_to_input);
        gaussian_blur(augmented_, blur_);
        auto target = rows(images_, static_cast<std::size_t>(first * values));
        memcpy(target, augmented_);
        return changes;
    };
    pixels_to_planes(real, count, pixel_to_input, augmented_);
    place(real_pass, 0);
    augmented_.copy_size(fakes);
    multiply(fakes, sigmoid_to_input, augmented_);
    const augmentation changes_of_fakes = place(fake_pass, count);
    add_signs(images_.host(), penalised * values, counter_random(key(real_pass), 2, 0),
              losses.distance, images_.host() + 2 * count * values);

    // With masks of its own the noise would be lost in what dropout changes.
    discriminator_->set_dropout_key(counter_random(key(real_pass), 1, 0), penalised);
    if (discriminator_->statistics_updates() == 0) {
        discriminator_->set_mode(mode::training); // which stores the statistics
        calm_scores(*discriminator_, discriminator_->forward(images_));
    }
    discriminator_->set_mode(mode::stored_statistics);
    const dlib::tensor& scores = discriminator_->forward(images_);
    score_gradient_.copy_size(scores);
    std::vector<float> ratios;
    const loss_values judged = judge(losses, scores, count, score_gradient_, ratios);
    step_result result;
    result.loss_d = judged.loss_d;
    result.loss_g = update_generator ? judged.loss_g : 0;
    result.accuracy_real = judged.accuracy_real;
    result.accuracy_fake = judged.accuracy_fake;
    result.penalty = judged.penalty;

    discriminator_->set_parameter_gradients(true);
    discriminator_->set_data_gradient(update_generator);
    dlib::tensor& gradient = discriminator_->backward(images_, score_gradient_, gradients_);
    if (update_generator) {
        image_gradient_.copy_size(fakes);
        const float* of_fakes = gradient.host() + count * values;
        float* of_images = image_gradient_.host_write_only();
        parallel_chunks(count * values, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                of_images[i] = ratios[static_cast<std::size_t>(i / values)] * of_fakes[i];
        });
    }
    judge_projected(key(projected_pass), anchored, update_generator, result);
    if (update_generator) {
        gaussian_blur(image_gradient_, blur_);
        if (!settings_.augment.empty())
            changes_of_fakes.adjoint(image_gradient_);
        multiply(image_gradient_, sigmoid_to_input, image_gradient_);
    }
    update_discriminator();
    return result;
}

// It sees images_ as the discriminator of pixels does, and adds to its image_gradient_.
projected_values trainer::add_projected(projected_discriminator& judge,
                                        const projected_weights& weights, std::uint64_t key,
                                        bool update_generator) {
    const long count = static_cast<long>(latents_.num_samples());
    projected_gradient_.set_size(count, image_channels, image_size, image_size);
    const projected_values result = judge.step(
        images_.host(), count, key, {settings_.learning_rate_d, settings_.beta1, settings_.beta2},
        weights, gradients_, update_generator ? projected_gradient_.host_write_only() : nullptr);
    if (update_generator)
        dlib::tt::add(image_gradient_, image_gradient_, projected_gradient_);
    return result;
}

void trainer::judge_projected(std::uint64_t key, long anchored, bool update_generator,
                              step_result& result) {
    const double networks = (projected_ ? 1 : 0) + (imagenet_ ? 1 : 0);
    projected_weights weights;
    weights.statistics = settings_.matching_weight;
    weights.pairs = settings_.perceptual_weight;
    weights.paired = anchored;
    if (projected_) {
        weights.heads = settings_.projected_weight;
        weights.identities = settings_.identity_weight;
        const projected_values judged = add_projected(*projected_, weights, key, update_generator);
        result.projected_loss = judged.whole.loss_d;
        result.projected_accuracy = judged.whole.accuracy_real;
        result.detail_loss = judged.details.loss_d;
        result.detail_accuracy = judged.details.accuracy_real;
        result.identity_distance = judged.identities;
        result.matching_distance += judged.statistics / networks;
        result.perceptual += judged.pairs / networks;
    }
    if (imagenet_) {
        weights.heads = settings_.imagenet_weight;
        weights.identities = 0;
        const projected_values judged = add_projected(
            *imagenet_, weights, counter_random(key, imagenet_stream, 0), update_generator);
        result.imagenet_loss = judged.whole.loss_d;
        result.imagenet_accuracy = judged.whole.accuracy_real;
        result.matching_distance += judged.statistics / networks;
        result.perceptual += judged.pairs / networks;
    }
}

step_result trainer::step(const std::uint8_t* real, const float* latents, long count,
                          bool update_generator, const anchor& anchored) {
    require(count >= 2, "a step takes at least two images");
    require(anchored.count <= count, "there are more images of the anchor than latents");
    to_tensor(latents, count, latents_);
    generator_->set_mode(update_generator ? mode::training : mode::frozen_statistics);
    const dlib::tensor& fakes = generator_->forward(latents_);
    step_result result;
    if (settings_.adversarial_weight > 0) {
        result = settings_.norm == discriminator_norm::fixed
                     ? judge_together(real, fakes, anchored.count, update_generator)
                     : judge_in_turn(real, fakes, update_generator);
        if (update_generator && settings_.adversarial_weight != 1)
            multiply(image_gradient_, static_cast<float>(settings_.adversarial_weight),
                     image_gradient_);
    } else {
        image_gradient_.copy_size(fakes);
        image_gradient_ = 0;
    }
    if (update_generator) {
        if (settings_.texture_weight > 0) {
            pixels_to_planes(real, count, 1 / 255.0f, images_);
            const std::uint64_t key =
                counter_random(settings_.seed, streams + 2, static_cast<std::uint64_t>(steps_));
            result.texture = patch_distance(fakes, images_, key, augmented_);
            multiply(augmented_, static_cast<float>(settings_.texture_weight), augmented_);
            dlib::tt::add(image_gradient_, image_gradient_, augmented_);
        }
        const auto only_excess =
            [&](double (*measure)(const dlib::tensor&, dlib::resizable_tensor*), double weight) {
                pixels_to_planes(real, count, 1 / 255.0f, images_);
                const double wanted = measure(images_, nullptr);
                const double excess = measure(fakes, &augmented_) - wanted;
                if (excess > 0) {
                    multiply(augmented_, static_cast<float>(weight), augmented_);
                    dlib::tt::add(image_gradient_, image_gradient_, augmented_);
                }
                return excess;
            };
        if (settings_.chroma_weight > 0)
            result.chroma_excess = only_excess(chroma_detail, settings_.chroma_weight);
        if (settings_.grid_weight > 0)
            result.grid_excess = only_excess(grid_unevenness, settings_.grid_weight);
        if (anchored.count > 0 && anchored.weight > 0) {
            pixels_to_planes(anchored.images, anchored.count, 1 / 255.0f, images_);
            const dlib::alias_tensor first(anchored.count, image_channels, image_size, image_size);
            result.anchor = pyramid_loss(first(fakes, 0).get(), images_, augmented_, anchored.skip);
            multiply(augmented_, static_cast<float>(anchored.weight), augmented_);
            auto anchored_gradient = first(image_gradient_, 0);
            dlib::tt::add(anchored_gradient, anchored_gradient, augmented_);
        }
        generator_->backward(latents_, image_gradient_, gradients_);
        solver_g_.update(generator_->parameter_tensors(), settings_.learning_rate_g,
                         settings_.beta1, settings_.beta2);
        smooth_upsampling();
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
    smooth_upsampling();
    update_average();
    ++steps_;
    return loss;
}

void trainer::smooth_upsampling() {
    if (settings_.smooth_upsampling == 0)
        return;
    for (const layer_parameters& layer : generator_->parameter_tensors())
        if (const auto doubling = doubling_.find(layer.name); doubling != doubling_.end())
            remove_checkerboard(*layer.values, doubling->second, settings_.smooth_upsampling);
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
    network& net = find(which);
    net.set_parameters(parameters);
    if (&net == discriminator_.get() && settings_.norm == discriminator_norm::fixed)
        net.set_statistics_updates(1); // they come with the parameters
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
    each_projected([&](const char* prefix, projected_discriminator& judge) {
        judge.add_state(prefix, state);
    });
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
    // A run can take one up in its midst.
    each_projected([&](const char* prefix, projected_discriminator& judge) {
        if (!with_prefix(prefix, state).empty())
            judge.load_state(prefix, state);
    });
    steps_ = read_counter(state, "counters.steps");
}

} // namespace ffgan
