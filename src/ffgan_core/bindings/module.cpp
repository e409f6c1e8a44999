// SPDX-License-Identifier: GPL-3.0-or-later
#include "bindings/arrays.h"

void register_dnn_file(pybind11::module_& m);

PYBIND11_MODULE(_core, m) {
    m.doc() = "The C++ core: networks, inference and training on dlib. NumPy in, NumPy out.";
    m.attr("__version__") = FFGAN_VERSION;
    ffgan::bindings::register_errors();
    ffgan::bindings::register_engine(m);
    ffgan::bindings::register_testing(m);
    ffgan::bindings::register_faces(m);
    ffgan::bindings::register_pictures(m);
    ffgan::bindings::register_networks(m);
    ffgan::bindings::register_trainer(m);
    ffgan::bindings::register_projector(m);
    register_dnn_file(m);
}
