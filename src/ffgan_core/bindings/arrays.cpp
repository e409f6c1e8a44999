// SPDX-License-Identifier: GPL-3.0-or-later
#include "bindings/arrays.h"

#include <algorithm>
#include <stdexcept>

namespace py = pybind11;

namespace ffgan::bindings {

py::ssize_t samples(const py::array& given, const std::vector<long>& shape, const char* argument) {
    const bool right = given.ndim() == static_cast<py::ssize_t>(shape.size()) + 1 &&
                       std::equal(shape.begin(), shape.end(), given.shape() + 1);
    if (!right) {
        std::string message = std::string(argument) + " has not the shape (n";
        for (const long size : shape)
            message += ", " + std::to_string(size);
        throw std::invalid_argument(message + ")");
    }
    return given.shape(0);
}

named_tensors to_named_tensors(const py::dict& arrays) {
    named_tensors result;
    for (const auto& item : arrays) {
        const auto name = item.first.cast<std::string>();
        if (!py::isinstance<py::array_t<float>>(item.second))
            throw std::invalid_argument("the parameter '" + name + "' is not a float32 array");
        const auto values = array<float>::ensure(item.second);
        named_tensor& tensor = result[name];
        tensor.shape.assign(values.shape(), values.shape() + values.ndim());
        tensor.values.assign(values.data(), values.data() + values.size());
    }
    return result;
}

py::dict to_dict(const named_tensors& tensors) {
    py::dict result;
    for (const auto& [name, tensor] : tensors) {
        py::array_t<float> values(
            std::vector<py::ssize_t>(tensor.shape.begin(), tensor.shape.end()));
        std::copy(tensor.values.begin(), tensor.values.end(), values.mutable_data());
        result[py::str(name)] = values;
    }
    return result;
}

} // namespace ffgan::bindings
