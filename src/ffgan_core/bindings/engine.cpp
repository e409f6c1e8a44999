// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine.h"
#include "arrays.h"

namespace py = pybind11;

namespace ffgan::bindings {

void register_engine(py::module_& m) {
    m.def(
        "engine",
        [] {
            const engine_description e = describe_engine();
            py::dict result;
            result["dlib"] = e.dlib;
            result["blas"] = e.blas;
            result["cuda"] = e.cuda;
            result["instructions"] = e.instructions;
            result["convolution"] = e.convolution;
            result["threads"] = e.threads;
            return result;
        },
        "What runs: dlib's version, the BLAS, CUDA, the CPU's instructions, the threads.");
    m.def("set_threads", &set_engine_threads, py::arg("threads"),
          "Set the number of threads of every computation of this process.");
}

} // namespace ffgan::bindings
