// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/trainer.h"

#include "bindings/arrays.h"

#include <map>
#include <optional>

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

template <typename T>
T choose(const char* name, const std::string& value, const std::map<std::string, T>& choices) {
    const auto found = choices.find(value);
    if (found == choices.end())
        throw std::invalid_argument(std::string(name) + " cannot be '" + value + "'");
    return found->second;
}

std::unique_ptr<trainer>
make_trainer(const std::string& discriminator, std::uint64_t seed, double learning_rate_g,
             double learning_rate_d, double beta1, double beta2, const std::string& loss,
             double label_smoothing, double dropout, double ema, bool colour, long translation,
             long cutout, bool joint_update, const std::string& norm, double gradient_penalty,
             double adversarial_weight, double texture_weight, double chroma_weight,
             double grid_weight, double smooth_upsampling, double projected_weight,
             double projected_penalty, double projected_details, double identity_weight,
             double matching_weight, double perceptual_weight, const std::string& recognition,
             double imagenet_weight, const py::dict& imagenet) {
    trainer_settings settings;
    settings.discriminator = discriminator;
    settings.seed = seed;
    settings.learning_rate_g = learning_rate_g;
    settings.learning_rate_d = learning_rate_d;
    settings.beta1 = beta1;
    settings.beta2 = beta2;
    settings.loss = choose<adversarial_loss>("loss", loss,
                                             {{"logistic", adversarial_loss::logistic},
                                              {"hinge", adversarial_loss::hinge},
                                              {"relativistic", adversarial_loss::relativistic}});
    settings.norm = choose<discriminator_norm>(
        "discriminator_norm", norm,
        {{"batch", discriminator_norm::batch}, {"fixed", discriminator_norm::fixed}});
    settings.gradient_penalty = gradient_penalty;
    settings.adversarial_weight = adversarial_weight;
    settings.texture_weight = texture_weight;
    settings.chroma_weight = chroma_weight;
    settings.grid_weight = grid_weight;
    settings.smooth_upsampling = smooth_upsampling;
    settings.projected_weight = projected_weight;
    settings.projected_penalty = projected_penalty;
    settings.projected_details = projected_details;
    settings.identity_weight = identity_weight;
    settings.matching_weight = matching_weight;
    settings.perceptual_weight = perceptual_weight;
    settings.recognition = recognition;
    settings.imagenet_weight = imagenet_weight;
    settings.imagenet = to_named_tensors(imagenet);
    settings.label_smoothing = label_smoothing;
    settings.dropout = dropout;
    settings.ema = ema;
    settings.augment = {colour, translation, cutout};
    settings.joint_update = joint_update;
    py::gil_scoped_release release; // sets up three networks, no Python object in it
    return std::make_unique<trainer>(settings);
}

void check_equal(py::ssize_t one, py::ssize_t other, const char* message) {
    if (one != other)
        throw std::invalid_argument(message);
}

py::dict step(trainer& self, const array<std::uint8_t>& real, const array<float>& latents,
              bool update_generator, const std::optional<array<std::uint8_t>>& anchor_images,
              double anchor_weight, int anchor_skip) {
    const py::ssize_t count = samples(real, image_shape, "real");
    check_equal(samples(latents, latent_shape, "latents"), count,
                "real and latents differ in number");
    anchor anchored;
    if (anchor_images) {
        anchored.count = samples(*anchor_images, image_shape, "anchor_images");
        anchored.images = anchor_images->data();
        anchored.weight = anchor_weight;
        anchored.skip = anchor_skip;
    }
    const std::uint8_t* images = real.data();
    const float* noise = latents.data();
    step_result result;
    {
        py::gil_scoped_release release; // the arrays are held by the caller's frame
        result = self.step(images, noise, count, update_generator, anchored);
    }
    py::dict measures("loss_d"_a = result.loss_d, "loss_g"_a = result.loss_g,
                      "accuracy_real"_a = result.accuracy_real,
                      "accuracy_fake"_a = result.accuracy_fake, "penalty"_a = result.penalty,
                      "texture"_a = result.texture, "anchor"_a = result.anchor);
    if (self.settings().chroma_weight > 0)
        measures["chroma_excess"] = result.chroma_excess;
    if (self.settings().grid_weight > 0)
        measures["grid_excess"] = result.grid_excess;
    if (self.settings().projected_weight > 0) {
        measures["projected_loss"] = result.projected_loss;
        measures["projected_accuracy"] = result.projected_accuracy;
        if (self.settings().projected_details > 0) {
            measures["detail_loss"] = result.detail_loss;
            measures["detail_accuracy"] = result.detail_accuracy;
        }
        if (self.settings().identity_weight > 0)
            measures["identity_distance"] = result.identity_distance;
    }
    if (self.settings().imagenet_weight > 0) {
        measures["imagenet_loss"] = result.imagenet_loss;
        measures["imagenet_accuracy"] = result.imagenet_accuracy;
    }
    if (self.settings().matching_weight > 0)
        measures["matching_distance"] = result.matching_distance;
    if (self.settings().perceptual_weight > 0)
        measures["perceptual"] = result.perceptual;
    return measures;
}

double reconstruct(trainer& self, const array<float>& latents, const array<std::uint8_t>& images,
                   double learning_rate) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    check_equal(samples(images, image_shape, "images"), count,
                "latents and images differ in number");
    const float* codes = latents.data();
    const std::uint8_t* pixels = images.data();
    py::gil_scoped_release release; // the arrays are held by the caller's frame
    return self.reconstruct(codes, pixels, count, learning_rate);
}

void estimate_statistics(trainer& self, const array<float>& latents) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    const float* noise = latents.data();
    py::gil_scoped_release release; // the array is held by the caller's frame
    self.estimate_statistics(noise, count);
}

array<std::uint8_t> sample(trainer& self, const array<float>& latents, bool averaged) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    array<std::uint8_t> images({count, py::ssize_t{162}, py::ssize_t{162}, py::ssize_t{3}});
    const float* in = latents.data();
    std::uint8_t* out = images.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.sample(in, count, averaged, out);
    return images;
}

} // namespace

void register_trainer(py::module_& m) {
    const trainer_settings defaults;
    py::class_<trainer>(m, "Trainer",
                        "Adversarial training, one step at a time. One thread at a time.")
        .def(py::init(&make_trainer), py::kw_only(), "discriminator"_a = defaults.discriminator,
             "seed"_a = defaults.seed, "learning_rate_g"_a = defaults.learning_rate_g,
             "learning_rate_d"_a = defaults.learning_rate_d, "beta1"_a = defaults.beta1,
             "beta2"_a = defaults.beta2, "loss"_a = "logistic",
             "label_smoothing"_a = defaults.label_smoothing, "dropout"_a = defaults.dropout,
             "ema"_a = defaults.ema, "colour"_a = defaults.augment.colour,
             "translation"_a = defaults.augment.translation, "cutout"_a = defaults.augment.cutout,
             "joint_update"_a = defaults.joint_update, "discriminator_norm"_a = "batch",
             "gradient_penalty"_a = defaults.gradient_penalty,
             "adversarial_weight"_a = defaults.adversarial_weight,
             "texture_weight"_a = defaults.texture_weight,
             "chroma_weight"_a = defaults.chroma_weight, "grid_weight"_a = defaults.grid_weight,
             "smooth_upsampling"_a = defaults.smooth_upsampling,
             "projected_weight"_a = defaults.projected_weight,
             "projected_penalty"_a = defaults.projected_penalty,
             "projected_details"_a = defaults.projected_details,
             "identity_weight"_a = defaults.identity_weight,
             "matching_weight"_a = defaults.matching_weight,
             "perceptual_weight"_a = defaults.perceptual_weight,
             "recognition"_a = defaults.recognition, "imagenet_weight"_a = defaults.imagenet_weight,
             "imagenet"_a = py::dict())
        .def("set_learning_rates", &trainer::set_learning_rates, "generator"_a, "discriminator"_a)
        .def("set_blur", &trainer::set_blur, "sigma"_a)
        .def("step", &step, py::arg("real").noconvert(), py::arg("latents").noconvert(),
             py::kw_only(), "update_generator"_a = true, "anchor_images"_a = py::none(),
             "anchor_weight"_a = 0.0, "anchor_skip"_a = 0)
        .def("reconstruct", &reconstruct, py::arg("latents").noconvert(),
             py::arg("images").noconvert(), "learning_rate"_a)
        .def("estimate_statistics", &estimate_statistics, py::arg("latents").noconvert())
        .def("sample", &sample, py::arg("latents").noconvert(), "averaged"_a = true)
        .def(
            "parameters",
            [](trainer& self, const std::string& network) {
                return to_dict(self.parameters(network));
            },
            "network"_a)
        .def(
            "gradients",
            [](trainer& self, const std::string& network) {
                return to_dict(self.gradients(network));
            },
            "network"_a)
        .def(
            "set_parameters",
            [](trainer& self, const std::string& network, const py::dict& parameters) {
                self.set_parameters(network, to_named_tensors(parameters));
            },
            "network"_a, "parameters"_a)
        .def("reset_discriminator", &trainer::reset_discriminator)
        .def_property_readonly("steps", &trainer::steps)
        .def("state", [](trainer& self) { return to_dict(self.state()); })
        .def(
            "load_state",
            [](trainer& self, const py::dict& state) { self.load_state(to_named_tensors(state)); },
            "state"_a);
}

} // namespace ffgan::bindings
