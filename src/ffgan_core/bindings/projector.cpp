// SPDX-License-Identifier: GPL-3.0-or-later
#include "projection/projector.h"
#include "bindings/arrays.h"

#include <cmath>
#include <optional>
#include <vector>

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

constexpr py::ssize_t parts = 4; // of projection_values

std::vector<chip_square> to_squares(const array<double>& given, py::ssize_t count) {
    if (samples(given, {4}, "squares") != count)
        throw std::invalid_argument("targets and squares differ in number");
    std::vector<chip_square> result;
    for (py::ssize_t i = 0; i < count; ++i) {
        const double* square = given.data(i);
        if (!std::isfinite(square[0] + square[1] + square[2] + square[3]) || square[2] <= 0)
            throw std::invalid_argument("a square has no side");
        result.push_back({square[0], square[1], square[2], square[3]});
    }
    return result;
}

void begin(projector& self, const array<std::uint8_t>& targets, const array<float>& latents,
           const std::optional<array<double>>& squares, double pyramid, double perceptual,
           double identity, double prior) {
    const py::ssize_t count = samples(targets, image_shape, "targets");
    if (samples(latents, latent_shape, "latents") != count)
        throw std::invalid_argument("targets and latents differ in number");
    std::vector<chip_square> places;
    if (squares)
        places = to_squares(*squares, count);
    const std::uint8_t* pixels = targets.data();
    const float* codes = latents.data();
    py::gil_scoped_release release; // the arrays are held by the caller's frame
    self.begin(pixels, squares ? places.data() : nullptr, codes, count,
               {pyramid, perceptual, identity, prior});
}

array<double> to_array(const std::vector<projection_values>& values) {
    array<double> result({static_cast<py::ssize_t>(values.size()), parts});
    double* out = result.mutable_data();
    for (const projection_values& one : values)
        for (const double value : {one.pyramid, one.perceptual, one.identity, one.prior})
            *out++ = value;
    return result;
}

array<double> step(projector& self, double learning_rate) {
    std::vector<projection_values> values(static_cast<std::size_t>(self.count()));
    {
        py::gil_scoped_release release; // no Python object in it
        self.step(learning_rate, values.data());
    }
    return to_array(values);
}

py::tuple measure(projector& self, bool gradient) {
    std::vector<projection_values> values(static_cast<std::size_t>(self.count()));
    array<float> of_latents({static_cast<py::ssize_t>(gradient ? self.count() : 0),
                             static_cast<py::ssize_t>(latent_shape[0])});
    float* out = gradient ? of_latents.mutable_data() : nullptr;
    {
        py::gil_scoped_release release; // the array is held by this frame
        self.measure(values.data(), out);
    }
    return py::make_tuple(to_array(values), of_latents);
}

array<float> latents(const projector& self) {
    array<float> result(
        {static_cast<py::ssize_t>(self.count()), static_cast<py::ssize_t>(latent_shape[0])});
    std::copy_n(self.latents(), result.size(), result.mutable_data());
    return result;
}

} // namespace

void register_projector(py::module_& m) {
    py::class_<projector>(m, "Projector",
                          "From images to latents, by gradients. One thread at a time.")
        .def(py::init([](const py::dict& generator, const py::dict& imagenet,
                         const std::string& recognition) {
                 const named_tensors parameters = to_named_tensors(generator);
                 const named_tensors weights = to_named_tensors(imagenet);
                 py::gil_scoped_release release; // reads a file, no Python object in it
                 return std::make_unique<projector>(parameters, weights, recognition);
             }),
             "generator"_a, "imagenet"_a = py::dict(), "recognition"_a = "")
        .def("begin", &begin, py::arg("targets").noconvert(), py::arg("latents").noconvert(),
             "squares"_a = py::none(), py::kw_only(), "pyramid"_a = 1.0, "perceptual"_a = 0.0,
             "identity"_a = 0.0, "prior"_a = 0.0,
             "targets (n, 162, 162, 3) uint8 RGB, latents (n, 100) float32, squares (n, 4) float64 "
             "as face_squares gives them.")
        .def("step", &step, "learning_rate"_a,
             "A step of Adam -> (n, 4) float64 before it: pyramid, perceptual, identity, prior.")
        .def("measure", &measure, "gradient"_a = false,
             "-> what step returns, and the gradient (n, 100) float32 of the weighted sum.")
        .def_property_readonly("latents", &latents, "(n, 100) float32.");
}

} // namespace ffgan::bindings
