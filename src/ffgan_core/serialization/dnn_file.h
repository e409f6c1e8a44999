// SPDX-License-Identifier: GPL-3.0-or-later
//
// The original FFgan keeps its model in a `.dnn` file: dlib's serialisation of its two networks.
// Its users have such files, and other dlib programs can load them. Here they are converted from
// and to named tensors; nothing else in the core knows the format.

#pragma once

#include <string>

#include "base/named_tensor.h"

namespace ffgan {

struct dnn_model {
    named_tensors generator;
    named_tensors discriminator; // of the "program" network
    float dropout;               // the share of activations that training drops
};

// Reads the generator and the discriminator from the start of `path`; what follows them (the
// original's `.sync` files go on with a step and an epoch) is not looked at. A bias in front of a
// batch norm, which dlib keeps when `disable_duplicative_biases` was not called, is folded into the
// norm's running mean. Throws std::runtime_error, one line that names the file, when it cannot be
// read, is cut short, or holds other networks.
dnn_model read_dnn(const std::string& path);

// Writes `path` whole or not at all (a temporary file beside it, then a rename). Throws
// std::invalid_argument when a tensor is missing, unknown or of another shape or `dropout` is
// outside [0, 1), and std::runtime_error when the file cannot be written.
void write_dnn(const std::string& path, const dnn_model& model);

} // namespace ffgan
