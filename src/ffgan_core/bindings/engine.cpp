// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/engine.h"
#include "bindings/arrays.h"
#include "training/training_profile.h"

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
            result["compiled_instructions"] = e.compiled_instructions;
            result["bf16"] = e.missing_for_bf16.empty();
            result["convolution"] = e.convolution;
            result["threads"] = e.threads;
            result["threads_from"] = e.threads_from;
            return result;
        },
        "What runs: dlib's version, the BLAS, CUDA, the CPU's instructions, the threads.");
    m.def(
        "profile_training",
        [](const std::string& network, long batch, long repetitions) {
            std::vector<training_times> times;
            {
                py::gil_scoped_release release; // no Python object in it
                times = profile_training(network, batch, repetitions);
            }
            py::list result;
            for (const training_times& t : times)
                result.append(
                    py::make_tuple(t.name, t.forward, t.data_gradient, t.filter_gradient));
            return result;
        },
        py::arg("network"), py::arg("batch") = 16, py::arg("repetitions") = 5,
        "[(layer, forward, data gradient, filter gradient)] of the convolutions in training, "
        "milliseconds per image; empty on a device.");
    m.def("set_threads", &set_engine_threads, py::arg("threads"),
          "Set the number of threads of every computation of this process.");
}

} // namespace ffgan::bindings
