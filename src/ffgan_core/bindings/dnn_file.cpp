// SPDX-License-Identifier: GPL-3.0-or-later
#include "serialization/dnn_file.h"
#include "bindings/arrays.h"

namespace py = pybind11;
using namespace pybind11::literals;

namespace ffgan::bindings {
namespace {

py::dict read_model(const std::string& path) {
    dnn_model model;
    {
        py::gil_scoped_release release; // reads a file, no Python object in it
        model = read_dnn(path);
    }
    return py::dict("generator"_a = to_dict(model.generator),
                    "discriminator"_a = to_dict(model.discriminator), "dropout"_a = model.dropout);
}

void write_model(const std::string& path, const py::dict& generator, const py::dict& discriminator,
                 float dropout) {
    const dnn_model model{to_named_tensors(generator), to_named_tensors(discriminator), dropout};
    py::gil_scoped_release release; // the model above is a copy of the arrays
    write_dnn(path, model);
}

} // namespace
} // namespace ffgan::bindings

void register_dnn_file(py::module_& m) {
    m.def("read_dnn", ffgan::bindings::read_model, "path"_a);
    m.def("write_dnn", ffgan::bindings::write_model, "path"_a, "generator"_a, "discriminator"_a,
          "dropout"_a);
}
