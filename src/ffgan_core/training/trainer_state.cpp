// SPDX-License-Identifier: GPL-3.0-or-later
//
// The part of a trainer that goes into checkpoints and comes back.

#include "training/pixel_discriminator.h"
#include "training/trainer.h"

#include <stdexcept>

namespace ffgan {
namespace {

std::string loss_prefix(const loss_description& loss) {
    return "losses." + std::string(loss.name) + ".";
}

} // namespace

network& trainer::find(const std::string& which) {
    if (which == "generator")
        return *generator_;
    if (which == "averaged")
        return *averaged_;
    if (which == "discriminator")
        return discriminator_->net();
    throw std::invalid_argument("there is no network '" + which +
                                "': choose generator, averaged or discriminator");
}

named_tensors trainer::parameters(const std::string& which) { return find(which).parameters(); }

void trainer::set_parameters(const std::string& which, const named_tensors& parameters) {
    network& net = find(which);
    net.set_parameters(parameters);
    if (&net == &discriminator_->net() && settings_.discriminator_norm == norm_statistics::fixed)
        net.set_statistics_updates(1); // they come with the parameters
}

named_tensors trainer::gradients(const std::string& which) { return find(which).gradients(); }

named_tensors trainer::state() {
    named_tensors state;
    for (const char* which : {"generator", "averaged"}) {
        network& net = find(which);
        add_with_prefix(std::string(which) + ".", net.parameters(), state);
        state[std::string("counters.statistics_") + which] =
            scalar(static_cast<double>(net.statistics_updates()));
    }
    solver_g_.add_state("solver_g.", state);
    solver_reconstruction_.add_state("solver_reconstruction.", state);
    for (const std::unique_ptr<adversary>& one : adversaries_)
        one->add_state(state);
    for (const weighted_loss& one : losses_)
        one.loss->add_state(loss_prefix(*one.description), state);
    state["counters.steps"] = scalar(static_cast<double>(steps_));
    return state;
}

void trainer::load_state(const named_tensors& state) {
    for (const char* which : {"generator", "averaged"}) {
        network& net = find(which);
        net.set_parameters(with_prefix(std::string(which) + ".", state));
        net.set_statistics_updates(static_cast<unsigned long>(
            read_counter(state, std::string("counters.statistics_") + which)));
    }
    const std::vector<layer_parameters> g = generator_->parameter_tensors();
    solver_g_.load_state("solver_g.", g, state);
    solver_reconstruction_.load_state("solver_reconstruction.", g, state);
    for (const std::unique_ptr<adversary>& one : adversaries_)
        one->load_state(state);
    for (const weighted_loss& one : losses_)
        one.loss->load_state(loss_prefix(*one.description), state);
    steps_ = read_counter(state, "counters.steps");
}

} // namespace ffgan
