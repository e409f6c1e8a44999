// SPDX-License-Identifier: GPL-3.0-or-later

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "../dnn_file.h"

namespace py = pybind11;

namespace {

using float_array = py::array_t<float, py::array::c_style | py::array::forcecast>;

py::dict to_python(const ffgan::named_tensors& tensors) {
    py::dict arrays;
    for (const auto& [name, tensor] : tensors)
        arrays[py::str(name)] = float_array(tensor.shape, tensor.values.data());
    return arrays;
}

ffgan::named_tensors from_python(const py::dict& arrays) {
    ffgan::named_tensors tensors;
    for (const auto& [name, value] : arrays) {
        const auto array = py::cast<float_array>(value);
        tensors[py::cast<std::string>(name)] = {
            std::vector<long>(array.shape(), array.shape() + array.ndim()),
            std::vector<float>(array.data(), array.data() + array.size())};
    }
    return tensors;
}

py::dict read_model(const std::string& path) {
    ffgan::dnn_model model;
    {
        py::gil_scoped_release release; // touches nothing of Python's
        model = ffgan::read_dnn(path);
    }
    py::dict result;
    result["generator"] = to_python(model.generator);
    result["discriminator"] = to_python(model.discriminator);
    result["dropout"] = model.dropout;
    return result;
}

void write_model(const std::string& path, const py::dict& generator, const py::dict& discriminator,
                 float dropout) {
    const ffgan::dnn_model model{from_python(generator), from_python(discriminator), dropout};
    py::gil_scoped_release release; // the model above is a copy of the arrays
    ffgan::write_dnn(path, model);
}

} // namespace

void register_dnn_file(py::module_& m) {
    m.def("read_dnn", read_model, py::arg("path"));
    m.def("write_dnn", write_model, py::arg("path"), py::arg("generator"), py::arg("discriminator"),
          py::arg("dropout"));
}
