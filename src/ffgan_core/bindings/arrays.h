// SPDX-License-Identifier: GPL-3.0-or-later
//
// NumPy arrays in and out of the core's plain pointers and named tensors. Arguments come without
// conversion surprises: a wrong dtype or shape is an error that names the argument.

#pragma once

#include "base/named_tensor.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

namespace ffgan::bindings {

template <typename T> using array = pybind11::array_t<T, pybind11::array::c_style>;

// The number of samples of an array whose shape is (n, *shape).
pybind11::ssize_t samples(const pybind11::array& given, const std::vector<long>& shape,
                          const char* argument);

inline const std::vector<long> latent_shape{100};
inline const std::vector<long> image_shape{162, 162, 3};

named_tensors to_named_tensors(const pybind11::dict& arrays);
pybind11::dict to_dict(const named_tensors& tensors);

void register_errors();
void register_engine(pybind11::module_& m);
void register_testing(pybind11::module_& m);
void register_faces(pybind11::module_& m);
void register_pictures(pybind11::module_& m);
void register_networks(pybind11::module_& m);
void register_trainer(pybind11::module_& m);
void register_projector(pybind11::module_& m);

} // namespace ffgan::bindings
