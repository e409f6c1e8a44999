// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/trainer.h"

#include "base/pixels.h"
#include "base/require.h"
#include "base/shapes.h"
#include "inference/generator.h"
#include "losses/pyramid_loss.h"
#include "training/arithmetic.h"
#include "training/discriminator_view.h"
#include "training/frozen_networks.h"
#include "training/pixel_discriminator.h"
#include "training/random_streams.h"
#include "training/resize_convolution.h"

#include <dlib/cuda/tensor_tools.h>

#include <algorithm>
#include <cmath>

namespace ffgan {
namespace {

// The warm start's Adam, as it was measured to work; see docs/training.md.
constexpr double reconstruction_beta1 = 0.9;
constexpr double reconstruction_beta2 = 0.99;

constexpr long statistics_batch = 32;

constexpr double largest_blur = 16;

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

} // namespace

trainer::trainer(const trainer_settings& settings, const ranks& all)
    : settings_(settings), all_(all), sums_(all) {
    check(settings);
    augmentation(augment_policy_of(settings), 0, 1, image_size, image_size); // checks its ranges
    for (const loss_description& one : generator_losses())
        if (const double weight = settings.loss_weight(one.name); weight > 0)
            losses_.push_back({&one, weight, one.make({settings.anchor_skip})});

    generator_ = make_network("generator");
    generator_->initialise(start_key(settings.seed, generator_start));
    generator_->set_data_gradient(false);
    const named_tensors initial = generator_->parameters();
    doubling_ = doubling_layers(initial);
    averaged_ = make_network("generator");
    averaged_->set_parameters(initial);
    auto discriminator = std::make_unique<pixel_discriminator>(settings, all);
    discriminator_ = discriminator.get();
    adversaries_.push_back(std::move(discriminator));
    for (std::unique_ptr<adversary>& one : make_frozen_networks(settings, all))
        adversaries_.push_back(std::move(one));
    settings_.imagenet.clear(); // it has served
}

trainer::~trainer() = default;

void trainer::set_learning_rates(double generator, double discriminator) {
    trainer_settings changed;
    changed.learning_rate_g = generator;
    changed.learning_rate_d = discriminator;
    check(changed);
    settings_.learning_rate_g = generator;
    settings_.learning_rate_d = discriminator;
}

void trainer::set_blur(double sigma) {
    require(sigma >= 0 && sigma <= largest_blur, "blur is not in [0, 16] pixels");
    blur_ = sigma;
}

void trainer::reset_discriminator() {
    for (const std::unique_ptr<adversary>& one : adversaries_)
        one->reset();
}

measures trainer::no_measures() const {
    measures result;
    adversaries_.front()->name_measures(result);
    for (const loss_description& one : generator_losses())
        if (one.always_measured || settings_.loss_weight(one.name) > 0)
            result[one.measure] = 0;
    for (std::size_t i = 1; i < adversaries_.size(); ++i)
        adversaries_[i]->name_measures(result);
    return result;
}

adam_settings trainer::discriminator_rates() const {
    return {settings_.learning_rate_d, settings_.beta1, settings_.beta2};
}

measures trainer::step(const std::uint8_t* real, const float* latents, long whole,
                       bool update_generator, long anchored) {
    check_parts(whole);
    require(anchored >= 0 && anchored <= whole, "anchored is not from 0 to the number of latents");
    to_tensor(latents, all_.own(whole), latents_);
    generator_->set_mode(update_generator ? mode::training : mode::frozen_statistics);
    generator_->set_samples({all_, whole, whole});
    const dlib::tensor& fakes = generator_->forward(latents_);
    measures result = no_measures();
    image_gradient_.copy_size(fakes);
    if (settings_.adversarial_weight > 0) {
        if (settings_.discriminator_norm == norm_statistics::fixed)
            update_with_fixed_norm(real, fakes, whole, anchored, update_generator, result);
        else
            update_with_batch_norm(real, fakes, whole, update_generator, result);
        if (update_generator && settings_.adversarial_weight != 1)
            multiply(image_gradient_, static_cast<float>(settings_.adversarial_weight),
                     image_gradient_);
    } else {
        image_gradient_ = 0;
    }
    if (update_generator) {
        add_losses(real, fakes, whole, anchored, result);
        sums_.backward(*generator_, latents_, image_gradient_, gradients_);
        solver_g_.update(generator_->parameter_tensors(), settings_.learning_rate_g,
                         settings_.beta1, settings_.beta2);
        finish_update();
    }
    ++steps_;
    add_up(result);
    return result;
}

void trainer::check_parts(long whole) const {
    require(whole >= 2, "a step takes at least two images");
    long least = whole;
    if (settings_.projected_weight > 0 && settings_.projected_details > 0)
        least =
            static_cast<long>(std::ceil(settings_.projected_details * static_cast<double>(whole)));
    require(least >= all_.count(), "a step takes at least one image for each rank, also magnified");
}

void trainer::add_up(measures& result) const {
    std::vector<double> values;
    for (const auto& [name, value] : result)
        values.push_back(value);
    all_.sum(values.data(), static_cast<long>(values.size()));
    std::size_t i = 0;
    for (const auto& named : measures(result))
        result[named.first] = values[i++];
}

void trainer::update_with_batch_norm(const std::uint8_t* real, const dlib::tensor& fakes,
                                     long whole, bool update_generator, measures& result) {
    discriminator_->update_batch_norm(real, fakes, whole, blur_, static_cast<std::uint64_t>(steps_),
                                      discriminator_rates(), gradients_, update_generator,
                                      image_gradient_, result);
}

// With fixed norms the images of a batch do not touch each other, so one pass serves all; see
// adversarial_loss.h.
void trainer::update_with_fixed_norm(const std::uint8_t* real, const dlib::tensor& fakes,
                                     long whole, long anchored, bool update_generator,
                                     measures& result) {
    const long count = static_cast<long>(fakes.num_samples());
    const std::uint64_t step = static_cast<std::uint64_t>(steps_);
    const auto key = [&](pass which) { return pass_key(settings_.seed, step, which); };
    const auto view = [&](pass which) {
        return discriminator_view(augment_policy_of(settings_), blur_,
                                  counter_random(key(which), 0, 0), count, all_);
    };
    const discriminator_view view_of_real = view(real_pass), view_of_fakes = view(fake_pass);

    // images_: real ones, fakes, and some of the real ones with a little noise.
    const loss_settings& loss = discriminator_->loss();
    const long penalised = all_.own(penalised_images(loss, whole));
    images_.set_size(2 * count + penalised, image_channels, image_size, image_size);
    const dlib::alias_tensor rows(count, image_channels, image_size, image_size);
    auto real_rows = rows(images_, 0);
    auto fake_rows = rows(images_, static_cast<std::size_t>(count * image_values));
    pixels_to_planes(real, count, pixel_to_input, images_.host());
    view_of_real.apply(real_rows);
    multiply(fakes, sigmoid_to_input, fake_rows);
    view_of_fakes.apply(fake_rows);
    add_signs(all_, images_.host(), penalised, image_values, counter_random(key(real_pass), 2, 0),
              loss.distance, images_.host() + 2 * count * image_values);

    const adam_settings rates = discriminator_rates();
    const judged_images batch{images_, whole, anchored, step, rates};
    further_gradient_.copy_size(fakes);
    for (const std::unique_ptr<adversary>& one : adversaries_) {
        const bool first = one == adversaries_.front();
        dlib::resizable_tensor& gradient = first ? image_gradient_ : further_gradient_;
        one->update(batch, gradients_, update_generator ? &gradient : nullptr, result);
        if (update_generator && !first)
            dlib::tt::add(image_gradient_, image_gradient_, further_gradient_);
    }
    if (update_generator) {
        view_of_fakes.adjoint(image_gradient_);
        multiply(image_gradient_, sigmoid_to_input, image_gradient_);
    }
}

void trainer::add_losses(const std::uint8_t* real, const dlib::tensor& fakes, long whole,
                         long anchored, measures& result) {
    real_.set(real, static_cast<long>(fakes.num_samples()));
    const loss_inputs inputs{fakes,    real_,
                             anchored, loss_key(settings_.seed, static_cast<std::uint64_t>(steps_)),
                             all_,     whole};
    for (const weighted_loss& one : losses_) {
        further_gradient_.set_size(0, 0, 0, 0);
        result[one.description->measure] = one.loss->measure(inputs, further_gradient_);
        if (further_gradient_.size() == 0)
            continue;
        multiply(further_gradient_, static_cast<float>(one.weight), further_gradient_);
        const dlib::alias_tensor rows(further_gradient_.num_samples(), image_channels, image_size,
                                      image_size);
        auto target = rows(image_gradient_, 0);
        dlib::tt::add(target, target, further_gradient_);
    }
}

double trainer::reconstruct(const float* latents, const std::uint8_t* images, long whole,
                            double learning_rate) {
    check_parts(whole);
    require(learning_rate > 0 && learning_rate < 1, "learning_rate is not in (0, 1)");
    const long count = all_.own(whole);
    to_tensor(latents, count, latents_);
    real_.set(images, count);
    generator_->set_mode(mode::training);
    generator_->set_samples({all_, whole, whole});
    double loss = pyramid_loss(generator_->forward(latents_), real_.planes(), image_gradient_, 0,
                               nullptr, whole);
    sums_.backward(*generator_, latents_, image_gradient_, gradients_);
    solver_reconstruction_.update(generator_->parameter_tensors(), learning_rate,
                                  reconstruction_beta1, reconstruction_beta2);
    finish_update();
    ++steps_;
    all_.sum(&loss, 1);
    return loss;
}

void trainer::finish_update() {
    smooth_upsampling();
    update_average();
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
        move_towards(*average[i].values, *live[i].values, static_cast<float>(keep));
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

} // namespace ffgan
