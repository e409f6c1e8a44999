// SPDX-License-Identifier: GPL-3.0-or-later
//
// Parameters travel between the networks, the model files and Python by name: the names are the
// contract, the order of layers is not. This header is that contract's C++ type, free of both dlib
// and Python so that every part can include it.

#pragma once

#include <map>
#include <string>
#include <vector>

namespace ffgan {

struct named_tensor {
    std::vector<long> shape;
    std::vector<float> values; // row-major
};

using named_tensors = std::map<std::string, named_tensor>;

} // namespace ffgan
