// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gradients of a batch that ranks share: the sum of what each one has found for its part, in an
// order of our own. What message passing libraries offer for sums adds in an order that depends on
// the length and on the number of ranks. Here each rank gets one part of the gradients, adds it up
// in the order of the ranks, and sends the sums to all: 2 (R - 1) / R of the gradients' bytes leave
// each of R ranks, which no way of adding undercuts.
//
// Where the ranks can speak beside a pass, a thread does that with the gradients of the last layers
// while those of the first ones are computed. Those of a discriminator have most of its parameters,
// and the first ones most of the work; with G it is the other way round.

#pragma once

#include "base/ranks.h"
#include "networks/network.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace ffgan {

class gradient_sum final : public gradient_listener {
  public:
    explicit gradient_sum(const ranks& all);
    ~gradient_sum() override;
    gradient_sum(const gradient_sum&) = delete;
    gradient_sum& operator=(const gradient_sum&) = delete;

    // network::backward, after which the gradients are the sums over the ranks, equal to the last
    // bit at each of them.
    dlib::tensor& backward(network& net, const dlib::tensor& x, dlib::tensor& gradient,
                           gradient_memory& memory);

    // The same in steps: begin, ready for each layer in the order of `layers`, finish.
    void begin(std::vector<layer_parameters> layers);
    void ready(dlib::tensor& gradient) override;
    void finish();

    // The same for gradients that are all there.
    void add_up(std::vector<layer_parameters> layers);

  private:
    struct carried;
    void divide(bool in_buckets);
    void copy(std::size_t number, bool back);

    ranks all_;
    communicator* apart_ = nullptr;
    std::vector<layer_parameters> layers_;
    std::size_t ready_ = 0;
    std::shared_ptr<carried> carried_; // a thread that is given up may still use it
};

// The order in which a backward pass has the gradients.
std::vector<layer_parameters> last_first(std::vector<layer_parameters> layers);

} // namespace ffgan
