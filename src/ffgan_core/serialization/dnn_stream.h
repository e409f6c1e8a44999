// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's deserialisation believes the sizes that a stream names: one wrong bit in a file can end
// the process. This reader walks the same stream with every size checked against what is left of it
// before memory is asked for, so that a model file may be damaged or come from a stranger.

#pragma once

#include <istream>
#include <string>
#include <vector>

namespace ffgan {

struct dnn_layer {
    std::string kind; // dlib's name without its version: "con", "cont", "bn_con", "fc", ...
    // What fixes the layer's computation besides its parameters: for "con" and "cont" filters,
    // rows, columns, strides, paddings (y before x) and a fused ReLU; for "fc" outputs and bias
    // mode; for "bn_con" eps; for "leaky_relu" the slope; for "relu" whether it is disabled.
    std::vector<double> settings;
    bool bias = false; // the parameters end in biases that are in use
    std::vector<float> parameters;
    std::vector<float> running_mean, running_var; // of "bn_con"
    float drop_rate = 0;                          // of "dropout"
};

struct dnn_network {
    std::string loss, input;
    std::vector<dnn_layer> layers; // from the input to the output
};

// Reads a dlib network of `layers` layers, each of a kind that the original's networks have, as
// dlib 19.10 to 20.0 write it. Throws std::runtime_error when the stream holds anything else.
dnn_network read_network(std::istream& in, std::size_t layers);

} // namespace ffgan
