// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/shapes.h"
#include "bindings/arrays.h"
#include "inference/discriminator.h"
#include "inference/generator.h"
#include "networks/architecture.h"
#include "networks/network.h"

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

precision precision_of(const std::string& name) {
    if (name != "float32" && name != "bf16")
        throw std::invalid_argument("there is no precision '" + name + "': choose float32 or bf16");
    return name == "bf16" ? precision::bf16 : precision::float32;
}

py::list layers(const std::string& name) {
    std::vector<layer_row> rows;
    {
        py::gil_scoped_release release; // a forward pass, no Python object in it
        rows = make_network(name)->rows();
    }
    py::list result;
    for (const layer_row& row : rows)
        result.append(py::dict("name"_a = row.name, "shape"_a = py::tuple(py::cast(row.shape)),
                               "parameters"_a = row.parameters,
                               "multiply_adds"_a = row.multiply_adds));
    return result;
}

py::dict shapes(const std::string& name) {
    py::dict result;
    for (const auto& [parameter, shape] : parameter_shapes(name))
        result[py::str(parameter)] = py::tuple(py::cast(shape));
    return result;
}

array<std::uint8_t> generate(const generator& self, const array<float>& latents) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    array<std::uint8_t> images({count, py::ssize_t{162}, py::ssize_t{162}, py::ssize_t{3}});
    const float* in = latents.data();
    std::uint8_t* out = images.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.generate(in, count, out);
    return images;
}

array<float> generate_float(const generator& self, const array<float>& latents) {
    const py::ssize_t count = samples(latents, latent_shape, "latents");
    array<float> planes({count, py::ssize_t{3}, py::ssize_t{162}, py::ssize_t{162}});
    const float* in = latents.data();
    float* out = planes.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.generate(in, count, out);
    return planes;
}

array<float> score(const discriminator& self, const array<std::uint8_t>& images) {
    const py::ssize_t count = samples(images, image_shape, "images");
    array<float> scores(count);
    const std::uint8_t* in = images.data();
    float* out = scores.mutable_data();
    py::gil_scoped_release release; // both arrays are held by this frame
    self.score(in, count, out);
    return scores;
}

template <typename network> py::list profile(const network& self, long repetitions) {
    std::vector<layer_time> times;
    {
        py::gil_scoped_release release; // no Python object in it
        times = self.profile(repetitions);
    }
    py::list result;
    for (const layer_time& time : times)
        result.append(py::make_tuple(time.name, time.milliseconds));
    return result;
}

} // namespace

void register_networks(py::module_& m) {
    m.attr("IMAGE_SHAPE") = py::make_tuple(image_size, image_size, image_channels);
    m.attr("LATENT_SIZE") = latent_size;
    m.def(
        "layers", &layers, "network"_a,
        "The layers of 'generator', 'program' or 'table' from input to output: name, shape (rows, "
        "columns, channels), parameters, multiply_adds per sample.");
    m.def("parameter_shapes", &shapes, "network"_a,
          "Names and shapes of a network's parameters, PyTorch's layout.");

    py::class_<generator>(m, "Generator", "Inference with batch norm folded; safe to share.")
        .def(py::init([](const py::dict& parameters, const std::string& products) {
                 named_tensors tensors = to_named_tensors(parameters);
                 py::gil_scoped_release release; // packing takes a while, no Python object in it
                 return std::make_unique<generator>(std::move(tensors), precision_of(products));
             }),
             "parameters"_a, "precision"_a = "float32")
        .def("generate", &generate, py::arg("latents").noconvert(),
             "latents (n, 100) float32 -> images (n, 162, 162, 3) uint8 RGB.")
        .def("generate_float", &generate_float, py::arg("latents").noconvert(),
             "latents (n, 100) float32 -> images (n, 3, 162, 162) float32 in (0, 1).")
        .def("profile", &profile<generator>, "repetitions"_a = 20,
             "[(layer, milliseconds)] for one image on all cores, medians; empty on a device.");

    py::class_<discriminator>(
        m, "Discriminator",
        "Inference with dropout off and batch norm on stored statistics; safe to share.")
        .def(py::init([](const std::string& network, const py::dict& parameters, float dropout) {
                 named_tensors tensors = to_named_tensors(parameters);
                 py::gil_scoped_release release; // packing takes a while, no Python object in it
                 return std::make_unique<discriminator>(network, std::move(tensors), dropout);
             }),
             "network"_a, "parameters"_a, "dropout"_a)
        .def("score", &score, py::arg("images").noconvert(),
             "images (n, 162, 162, 3) uint8 RGB -> logits (n,) float32, above 0 where believed "
             "real.")
        .def("profile", &profile<discriminator>, "repetitions"_a = 20,
             "[(layer, milliseconds)] for one image on all cores, medians; empty on a device.");
}

} // namespace ffgan::bindings
