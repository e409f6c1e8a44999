// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gradients of a batch that ranks share: the sum of what each one has found for its part, in an
// order of our own. What message passing libraries offer for sums adds in an order that depends on
// the length and on the number of ranks. Here each rank gets one part of all gradients, adds it up
// in the order of the ranks, and sends the sums to all: 2 (R - 1) / R of the gradients' bytes leave
// each of R ranks, which no way of adding undercuts.

#pragma once

#include "base/ranks.h"
#include "networks/network.h"

#include <vector>

namespace ffgan {

class gradient_sum {
  public:
    explicit gradient_sum(const ranks& all) : all_(all) {}

    // The layers' gradients become the sums over the ranks, equal to the last bit at each of them.
    void add_up(const std::vector<layer_parameters>& layers);

  private:
    ranks all_;
    std::vector<float> parts_, received_;
};

} // namespace ffgan
