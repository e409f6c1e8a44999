// SPDX-License-Identifier: GPL-3.0-or-later
#include "bindings/arrays.h"
#include "losses/chroma_detail.h"
#include "losses/energy_distance.h"
#include "losses/frechet_distance.h"
#include "losses/grid_unevenness.h"
#include "losses/loss.h"
#include "losses/patch_distance.h"
#include "losses/pyramid_loss.h"
#include "pretrained/face_features.h"
#include "pretrained/imagenet_features.h"
#include "training/augment.h"
#include "training/projected_discriminator.h"

#include <dlib/cuda/cuda_errors.h>

#include <algorithm>
#include <variant>
#include <vector>

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

dlib::resizable_tensor to_tensor(const array<float>& images) {
    if (images.ndim() != 4)
        throw std::invalid_argument("images have not the shape (n, channels, rows, columns)");
    dlib::resizable_tensor x(images.shape(0), images.shape(1), images.shape(2), images.shape(3));
    std::copy_n(images.data(), images.size(), x.host_write_only());
    return x;
}

array<float> to_array(const dlib::tensor& x) {
    array<float> result({static_cast<py::ssize_t>(x.num_samples()), static_cast<py::ssize_t>(x.k()),
                         static_cast<py::ssize_t>(x.nr()), static_cast<py::ssize_t>(x.nc())});
    std::copy_n(x.host(), x.size(), result.mutable_data());
    return result;
}

array<float> augment(const array<float>& images, std::uint64_t key, bool colour, long translation,
                     long cutout, double share, bool adjoint) {
    dlib::resizable_tensor x = to_tensor(images);
    const augmentation changes({colour, translation, cutout, share}, key,
                               static_cast<long>(x.num_samples()), static_cast<long>(x.nr()),
                               static_cast<long>(x.nc()));
    if (adjoint)
        changes.adjoint(x);
    else
        changes.apply(x, 0.5f);
    return to_array(x);
}

py::tuple pyramid(const array<float>& images, const array<float>& targets, int skip) {
    dlib::resizable_tensor gradient;
    const double loss = pyramid_loss(to_tensor(images), to_tensor(targets), gradient, skip);
    return py::make_tuple(loss, to_array(gradient));
}

py::tuple patches(const array<float>& images, const array<float>& targets, std::uint64_t key) {
    dlib::resizable_tensor gradient;
    const double distance = patch_distance(to_tensor(images), to_tensor(targets), key, gradient);
    return py::make_tuple(distance, to_array(gradient));
}

py::tuple chroma(const array<float>& images) {
    dlib::resizable_tensor gradient;
    const double detail = chroma_detail(to_tensor(images), &gradient);
    return py::make_tuple(detail, to_array(gradient));
}

py::tuple grid(const array<float>& images) {
    dlib::resizable_tensor gradient;
    const double unevenness = grid_unevenness(to_tensor(images), &gradient);
    return py::make_tuple(unevenness, to_array(gradient));
}

// A loss that plugs in, by its name: real images and fakes as planes (n, 3, 162, 162).
py::tuple measure_loss(const std::string& name, const array<float>& fakes,
                       const array<std::uint8_t>& real, long anchored, std::uint64_t key,
                       int anchor_skip) {
    const py::ssize_t count = samples(fakes, {3, 162, 162}, "fakes");
    if (samples(real, image_shape, "real") != count || anchored < 0 || anchored > count)
        throw std::invalid_argument("real and fakes differ in number, or anchored is not in it");
    for (const loss_description& one : generator_losses())
        if (one.name == name) {
            real_planes planes;
            planes.set(real.data(), static_cast<long>(count));
            dlib::resizable_tensor gradient;
            const double measured = one.make({anchor_skip})
                                        ->measure({to_tensor(fakes), planes, anchored, key, ranks(),
                                                   static_cast<long>(count)},
                                                  gradient);
            return py::make_tuple(measured, to_array(gradient));
        }
    throw std::invalid_argument("there is no loss '" + name + "'");
}

// energy_distance or frechet_distance.
template <typename distance_of_sets>
py::tuple measure_sets(distance_of_sets& self, const array<float>& real,
                       const array<float>& fakes) {
    const auto good = [&](const array<float>& x) {
        return x.ndim() == 2 && x.shape(1) == self.size();
    };
    if (!good(real) || !good(fakes))
        throw std::invalid_argument("real and fakes must have the shape (n, size)");
    array<float> gradient({fakes.shape(0), fakes.shape(1)});
    const double distance = self.step(real.data(), static_cast<long>(real.shape(0)), fakes.data(),
                                      static_cast<long>(fakes.shape(0)), gradient.mutable_data());
    return py::make_tuple(distance, gradient);
}

template <typename distance_of_sets>
void declare_sets(py::module_& m, const char* name, const char* about, const char* of_step) {
    py::class_<distance_of_sets>(m, name, about)
        .def(py::init<long>(), "size"_a)
        .def("step", &measure_sets<distance_of_sets>, py::arg("real").noconvert(),
             py::arg("fakes").noconvert(), of_step);
}

std::unique_ptr<feature_network> make_features(const std::variant<std::string, py::dict>& network) {
    if (const auto* path = std::get_if<std::string>(&network))
        return make_face_features(*path);
    return make_imagenet_features(to_named_tensors(std::get<py::dict>(network)));
}

// The features of images (n, 3, 162, 162), an array for each scale.
py::list features(const std::variant<std::string, py::dict>& network, const array<float>& images) {
    const py::ssize_t count = samples(images, {3, 162, 162}, "images");
    const auto backbone = make_features(network);
    std::vector<array<float>> results;
    std::vector<float*> targets;
    for (const feature_shape& shape : backbone->shapes()) {
        results.emplace_back(
            std::vector<py::ssize_t>{count, shape.channels, shape.side, shape.side});
        targets.push_back(results.back().mutable_data());
    }
    backbone->forward(images.data(), static_cast<long>(count), targets, nullptr);
    return py::cast(results);
}

py::tuple judge_projected(projected_discriminator& self, const array<float>& images,
                          std::uint64_t key, double learning_rate, double heads, double identities,
                          double statistics, double frechet, double pairs, long paired) {
    const py::ssize_t count = samples(images, {3, 162, 162}, "images") / 2;
    if (paired < 0 || paired > count)
        throw std::invalid_argument("paired is not in [0, n]");
    array<float> gradient({count, py::ssize_t{3}, py::ssize_t{162}, py::ssize_t{162}});
    gradient_memory memory;
    const projected_values values =
        self.step(images.data(), static_cast<long>(count), key, {learning_rate, 0.5, 0.99},
                  {heads, {identities, statistics, frechet, pairs, pairs, paired}}, memory,
                  gradient.mutable_data());
    const auto to_dict = [](const loss_values& of) {
        return py::dict("loss_d"_a = of.loss_d, "loss_g"_a = of.loss_g,
                        "accuracy_real"_a = of.accuracy_real, "accuracy_fake"_a = of.accuracy_fake,
                        "penalty"_a = of.penalty);
    };
    const py::dict distances(
        "identities"_a = values.distances.identities, "statistics"_a = values.distances.statistics,
        "frechet"_a = values.distances.frechet, "pairs"_a = values.distances.pairs);
    return py::make_tuple(to_dict(values.whole), to_dict(values.details), distances, gradient);
}

} // namespace

void register_testing(py::module_& parent) {
    py::module_ m = parent.def_submodule(
        "_testing", "Parts of the trainer, one by one, for tests. Nothing else may use it.");
    m.def(
        "raise_cuda_error", [](const std::string& message) { throw dlib::cuda_error(message); },
        "message"_a, "As a call of CUDA that fails does it, in any build.");
    m.def("augment", &augment, py::arg("images").noconvert(), py::kw_only(), "key"_a,
          "colour"_a = false, "translation"_a = 0, "cutout"_a = 0, "share"_a = 1.0,
          "adjoint"_a = false,
          "Differentiable augmentation of images (n, 3, rows, columns) float32 in [0, 1], or its "
          "adjoint: the gradient before it from the one after it.");
    m.def("pyramid_loss", &pyramid, py::arg("images").noconvert(), py::arg("targets").noconvert(),
          py::kw_only(), "skip"_a = 0,
          "L1 over a Laplacian pyramid of float32 images (n, k, rows, columns), without its `skip` "
          "finest levels: (loss, gradient with respect to images).");
    m.def("patch_distance", &patches, py::arg("images").noconvert(), py::arg("targets").noconvert(),
          py::kw_only(), "key"_a,
          "Sliced Wasserstein distance of the patches of float32 images (n, 3, rows, columns): "
          "(distance, gradient with respect to images).");
    m.def("chroma_detail", &chroma, py::arg("images").noconvert(),
          "Mean square, in steps of 1/255, of the colour of float32 images (n, 3, rows, columns) "
          "in [0, 1] that is finer than two pixels: (mean, gradient with respect to images).");
    m.def(
        "grid_unevenness", &grid, py::arg("images").noconvert(),
        "How much more neighbouring pixels of float32 images (n, k, rows, columns) differ at some "
        "places of a grid of 4x4 pixels than at others: (variance of the mean square differences "
        "over the square of their mean, of both directions, gradient with respect to images).");
    m.def("generator_loss", &measure_loss, "name"_a, py::arg("fakes").noconvert(),
          py::arg("real").noconvert(), py::kw_only(), "anchored"_a = 0, "key"_a = 0,
          "anchor_skip"_a = 0,
          "One of generator_losses() for float32 fakes (n, 3, 162, 162) in [0, 1] and uint8 real "
          "images (n, 162, 162, 3): (measure, gradient with respect to the fakes, or to the first "
          "ones, or to none).");
    declare_sets<energy_distance>(
        m, "EnergyDistance", "Energy distance of two distributions, from batches of samples.",
        "Of float32 (n, size) each: (distance by these and the last 512 samples of each, gradient "
        "with respect to the fakes).");
    declare_sets<frechet_distance>(
        m, "FrechetDistance", "Frechet distance of two distributions, by moving averages.",
        "Of float32 (n, size) each: (distance by these and those before, gradient with respect to "
        "the fakes); 0 until there are eight of each for a component.");
    m.def(
        "features", &features, "network"_a, py::arg("images").noconvert(),
        "What a network of ProjectedDiscriminator makes of float32 images (n, 3, 162, 162), pixels "
        "divided by 256: an array (n, channels, side, side) for each scale, the finest first.");
    py::class_<projected_discriminator>(
        m, "ProjectedDiscriminator",
        "What Trainer has beside its discriminator of pixels: heads on features of dlib's face "
        "recognition network, if `network` is the path of its file, which must be trusted, or of "
        "the ImageNet network of these tensors.")
        .def(py::init([](const std::variant<std::string, py::dict>& network, double penalty,
                         double details, std::uint64_t seed) {
                 const loss_settings loss{adversarial_loss::relativistic, 0, penalty};
                 return std::make_unique<projected_discriminator>(make_features(network), loss,
                                                                  details, seed);
             }),
             "network"_a, py::kw_only(), "penalty"_a = 0.0, "details"_a = 0.0, "seed"_a = 0)
        .def("step", &judge_projected, py::arg("images").noconvert(), py::kw_only(), "key"_a,
             "learning_rate"_a, "heads"_a = 1.0, "identities"_a = 0.0, "statistics"_a = 0.0,
             "frechet"_a = 0.0, "pairs"_a = 0.0, "paired"_a = 0,
             "One update from float32 images (2 n, 3, 162, 162), n real ones and n fakes, pixels "
             "divided by 256: (losses and accuracies of the heads for whole images, of those for "
             "details, energy distances of the identities and of the features' statistics and mean "
             "distance of the first `paired` pairs in both as far as they count, gradient with "
             "respect to the fakes of `heads` times G's loss, summed over the heads, and of each "
             "distance times its weight).");
}

} // namespace ffgan::bindings
