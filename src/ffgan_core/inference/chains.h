// SPDX-License-Identifier: GPL-3.0-or-later
//
// The networks as chains of convolutions, ready to run: what follows a convolution (batch norm on
// its stored statistics, the dropout's expectation, the activation) becomes part of it.

#pragma once

#include "base/named_tensor.h"
#include "inference/feed_forward.h"

#include <memory>
#include <string>

namespace ffgan {

// Latents (1 x 1 x 100) to 81 x 81 x 12: the last transposed convolution makes the four pixels
// (row, column) in {0, 1}^2 of each 2 x 2 square, channel (2 * row + column) * 3 + c, before the
// sigmoid. Throws std::invalid_argument when `parameters` are not those of the generator.
std::unique_ptr<feed_forward> make_generator_chain(named_tensors parameters,
                                                   precision products = precision::float32);

// Side of the squares of pixels that the generator's chain gives and that of "program" takes.
constexpr long square_side = 2;

// Images, in [0, 255/256], to the input of the last, fully connected layer. network: "table", which
// takes pixels (162 x 162 x 3), or "program", whose first filters never cut a square: 81 x 81 x 16,
// channel (2 * row + column) * 3 + c of a square, the last four left as they are, zero. dropout:
// the rate it was trained with.
std::unique_ptr<feed_forward> make_discriminator_chain(const std::string& network,
                                                       named_tensors parameters, float dropout);

} // namespace ffgan
