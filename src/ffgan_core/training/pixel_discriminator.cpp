// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/pixel_discriminator.h"

#include "base/pixels.h"
#include "base/shapes.h"
#include "base/threads.h"
#include "training/arithmetic.h"
#include "training/discriminator_view.h"
#include "training/output_scale.h"
#include "training/random_streams.h"

#include <dlib/cuda/tensor_tools.h>

#include <algorithm>
#include <string>
#include <vector>

namespace ffgan {
namespace {

// How far R1 looks from an image, whose pixels are from 0 to 1.
constexpr double penalty_distance = 0.001;

const std::string parameters_prefix = "discriminator.", solver_prefix = "solver_d.",
                  counter = "counters.statistics_discriminator";

} // namespace

pixel_discriminator::pixel_discriminator(const trainer_settings& settings, const ranks& all)
    : all_(all), gradients_(all), seed_(settings.seed),
      augment_(augment_policy_of(settings)), loss_{settings.loss, settings.label_smoothing,
                                                   settings.gradient_penalty, penalty_distance},
      joint_update_(settings.joint_update), net_(make_network(settings.discriminator)) {
    net_->set_dropout(static_cast<float>(settings.dropout));
    reset();
}

void pixel_discriminator::reset() {
    net_->initialise(start_key(seed_, discriminator_start));
    net_->set_statistics_updates(0);
    solver_ = adam();
}

void pixel_discriminator::name_measures(measures& result) const {
    for (const char* name : {"loss_d", "loss_g", "accuracy_real", "accuracy_fake", "penalty"})
        result[name] = 0;
}

void pixel_discriminator::update_parameters(const adam_settings& rates) {
    solver_.update(net_->parameter_tensors(), rates.learning_rate, rates.beta1, rates.beta2);
}

// ---- Norms by the batch -------------------------------------------------------------------------

pixel_discriminator::judgement
pixel_discriminator::pass_batch_norm(pass which, const dlib::tensor& images, long whole,
                                     double blur, std::uint64_t step, gradient_memory& memory) {
    const std::uint64_t key = pass_key(seed_, step, which);
    const long count = static_cast<long>(images.num_samples());
    const bool for_generator = which == generator_pass;

    const discriminator_view view(augment_, blur, counter_random(key, 0, 0), count, all_);
    if (view.changes_images()) {
        seen_.copy_size(images);
        memcpy(seen_, images);
        view.apply(seen_);
    }
    const dlib::tensor& seen = view.changes_images() ? seen_ : images;

    net_->set_dropout_key(counter_random(key, 1, 0), 0);
    net_->set_samples({all_, whole, whole});
    net_->set_mode(for_generator ? mode::frozen_statistics : mode::training);
    const dlib::tensor& scores = net_->forward(seen, memory);

    score_gradient_.copy_size(scores);
    const score_target target = which == real_pass   ? score_target::real
                                : which == fake_pass ? score_target::fake
                                                     : score_target::generator;
    const pass_values judged = judge_pass(loss_, scores, whole, target, score_gradient_);

    net_->set_parameter_gradients(!for_generator);
    net_->set_data_gradient(for_generator);
    dlib::tensor& image_gradient = for_generator || joint_update_
                                       ? net_->backward(seen, score_gradient_, memory)
                                       : gradients_.backward(*net_, seen, score_gradient_, memory);
    if (for_generator && view.changes_images())
        view.adjoint(image_gradient);
    return {judged.loss, judged.accuracy, &image_gradient};
}

void pixel_discriminator::update_batch_norm(const std::uint8_t* real, const dlib::tensor& fakes,
                                            long whole, double blur, std::uint64_t step,
                                            const adam_settings& rates, gradient_memory& memory,
                                            bool for_generator, dlib::resizable_tensor& images,
                                            measures& result) {
    const std::vector<layer_parameters> layers = net_->parameter_tensors();

    // D on real images.
    pixels_to_planes(real, static_cast<long>(fakes.num_samples()), pixel_to_input, images);
    const judgement of_real = pass_batch_norm(real_pass, images, whole, blur, step, memory);
    std::vector<dlib::resizable_tensor> real_gradients;
    if (joint_update_)
        for (const layer_parameters& layer : layers)
            real_gradients.emplace_back(*layer.gradient);
    else
        update_parameters(rates);

    // D on G's fakes.
    images.copy_size(fakes);
    multiply(fakes, sigmoid_to_input, images);
    const judgement of_fake = pass_batch_norm(fake_pass, images, whole, blur, step, memory);
    result["loss_d"] = of_real.loss + of_fake.loss;
    result["accuracy_real"] = of_real.accuracy;
    result["accuracy_fake"] = of_fake.accuracy;
    for (std::size_t i = 0; i < real_gradients.size(); ++i)
        dlib::tt::add(*layers[i].gradient, *layers[i].gradient, real_gradients[i]);
    if (joint_update_)
        gradients_.add_up(layers);
    update_parameters(rates);

    // G through D.
    if (for_generator) {
        const judgement of_generator =
            pass_batch_norm(generator_pass, images, whole, blur, step, memory);
        result["loss_g"] = of_generator.loss;
        multiply(*of_generator.image_gradient, sigmoid_to_input, images);
    }
}

// ---- Fixed norms --------------------------------------------------------------------------------

void pixel_discriminator::update(const judged_images& batch, gradient_memory& memory,
                                 dlib::tensor* gradient, measures& result) {
    const long count = all_.own(batch.whole);
    const long penalised = all_.own(penalised_images(loss_, batch.whole));
    // With masks of its own the noise would be lost in what dropout changes.
    net_->set_dropout_key(counter_random(pass_key(seed_, batch.step, real_pass), 1, 0), penalised);
    net_->set_samples({all_, batch.whole, 2 * batch.whole + penalised_images(loss_, batch.whole)});
    if (net_->statistics_updates() == 0) {
        net_->set_mode(mode::training); // which stores the statistics
        initialise_output_scale(*net_, net_->forward(batch.images, memory), all_);
    }
    net_->set_mode(mode::stored_statistics);
    const dlib::tensor& scores = net_->forward(batch.images, memory);
    score_gradient_.copy_size(scores);
    std::vector<float> ratios;
    const loss_values judged = judge(loss_, scores, all_, batch.whole, score_gradient_, ratios);
    result["loss_d"] = judged.loss_d;
    result["loss_g"] = gradient != nullptr ? judged.loss_g : 0;
    result["accuracy_real"] = judged.accuracy_real;
    result["accuracy_fake"] = judged.accuracy_fake;
    result["penalty"] = judged.penalty;

    net_->set_parameter_gradients(true);
    net_->set_data_gradient(gradient != nullptr);
    net_->set_images_with_gradient({count, 2 * count});
    const dlib::tensor& of_images =
        gradients_.backward(*net_, batch.images, score_gradient_, memory);
    if (gradient != nullptr) {
        const float* of_fakes = of_images.host() + count * image_values;
        float* target = gradient->host_write_only();
        parallel_chunks(count * image_values, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                target[i] = ratios[static_cast<std::size_t>(i / image_values)] * of_fakes[i];
        });
    }
    update_parameters(batch.rates);
}

// ---- State --------------------------------------------------------------------------------------

void pixel_discriminator::add_state(named_tensors& state) {
    add_with_prefix(parameters_prefix, net_->parameters(), state);
    state[counter] = scalar(static_cast<double>(net_->statistics_updates()));
    solver_.add_state(solver_prefix, state);
}

void pixel_discriminator::load_state(const named_tensors& state) {
    net_->set_parameters(with_prefix(parameters_prefix, state));
    net_->set_statistics_updates(static_cast<unsigned long>(read_counter(state, counter)));
    solver_.load_state(solver_prefix, net_->parameter_tensors(), state);
}

} // namespace ffgan
