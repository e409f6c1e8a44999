// SPDX-License-Identifier: GPL-3.0-or-later
//
// A loss of what the generated images have more of than the real ones. Where the real ones have
// more, which the measure shows by its sign, there is no gradient: G is not told to make noise.

#pragma once

#include "losses/loss.h"

#include <memory>

namespace ffgan {

// How much of something the images of all ranks have; `gradient`, if any, receives the derivative
// with respect to these.
using image_statistic = double (*)(const dlib::tensor& images, dlib::resizable_tensor* gradient,
                                   const ranks& all);

std::unique_ptr<generator_loss> make_excess_loss(image_statistic statistic);

} // namespace ffgan
