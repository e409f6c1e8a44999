// SPDX-License-Identifier: GPL-3.0-or-later
//
// A batch norm on its stored statistics is affine, and becomes part of the convolution before it.

#pragma once

#include "base/named_tensor.h"

#include <string>
#include <vector>

namespace ffgan {

// x * gain + offset, by channel.
struct norm_affine {
    std::vector<float> gain, offset;
};

// norm: such as "norm1". Throws std::out_of_range where the parameters lack one of its tensors.
norm_affine affine_of_norm(const named_tensors& parameters, const std::string& norm);

// The parameters of "generator" or "program" without norms. Each convolution but the last takes
// over the norm behind it, if there is one, and the dropout's expectation `keep`: a (leaky) ReLU
// commutes with a positive factor.
named_tensors fold_norms(const std::string& network, named_tensors parameters, float keep);

} // namespace ffgan
