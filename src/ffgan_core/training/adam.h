// SPDX-License-Identifier: GPL-3.0-or-later
//
// Adam (Kingma and Ba 2015) as dlib computes it, for a whole network at a time: what it does is to
// read and write five numbers per parameter, so it does that once, on all cores.

#pragma once

#include "base/named_tensor.h"
#include "networks/network.h"

#include <map>
#include <string>
#include <vector>

namespace ffgan {

struct adam_settings {
    double learning_rate, beta1, beta2;
};

class adam {
  public:
    void update(const std::vector<layer_parameters>& layers, double learning_rate, double beta1,
                double beta2);

    // The number of updates, and the moments by layer name.
    void add_state(const std::string& prefix, named_tensors& state) const;
    // Throws std::invalid_argument where something is missing or has another size.
    void load_state(const std::string& prefix, const std::vector<layer_parameters>& layers,
                    const named_tensors& state);

  private:
    struct moments {
        dlib::resizable_tensor first, second;
    };
    std::map<std::string, moments> moments_;
    long updates_ = 0;
};

} // namespace ffgan
