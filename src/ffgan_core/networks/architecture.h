// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the types of networks.h say about a network, without making one: dlib allocates a network
// only in its first forward pass, which takes longer than to make a face.

#pragma once

#include "base/named_tensor.h"

#include <map>
#include <string>
#include <vector>

namespace ffgan {

struct convolution_facts {
    bool transposed;
    long filters, kernel, stride, padding;
    long in_channels, in_size;   // rows and columns
    long out_channels, out_size; // out_channels = filters
    bool norm;                   // a batch norm comes before the next convolution
    bool bias;                   // none right below a batch norm
};

// The convolutions of "generator", "program" or "table", from the input on. Throws
// std::invalid_argument for another name.
std::vector<convolution_facts> convolutions_of(const std::string& network);

// The names and shapes of a network's parameters, PyTorch's layout.
std::map<std::string, std::vector<long>> parameter_shapes(const std::string& network);

// Throws std::invalid_argument that names the tensor which is missing, unknown, or of another
// shape.
void check_parameters(const std::string& network, const named_tensors& parameters);
void check_parameters(const std::map<std::string, std::vector<long>>& shapes,
                      const named_tensors& parameters);

} // namespace ffgan
