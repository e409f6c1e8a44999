// SPDX-License-Identifier: GPL-3.0-or-later
//
// What computes: a user who wonders about speed or about equal bytes asks this first.

#pragma once

#include <string>

namespace ffgan {

struct engine_description {
    std::string dlib;                  // version
    std::string blas;                  // name and version
    bool cuda;                         // built with CUDA
    std::string instructions;          // the instruction set that the kernels use
    std::string compiled_instructions; // those that they were compiled for
    std::string missing_for_bf16;      // what it lacks here; empty where it can be computed
    std::string convolution;           // whose convolution layers
    long threads;
    std::string threads_from; // what decided their number
};

engine_description describe_engine();

void set_engine_threads(long threads);

} // namespace ffgan
