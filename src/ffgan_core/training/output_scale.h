// SPDX-License-Identifier: GPL-3.0-or-later
//
// A start that the data determine (Kraehenbuehl et al. 2016, "Data-dependent initializations of
// convolutional neural networks").

#pragma once

#include "networks/network.h"

namespace ffgan {

// Scales and shifts the network's last layer, which is fully connected, so that `scores`, its
// output now at all ranks, would be small and around 0.
void initialise_output_scale(network& net, const dlib::tensor& scores, const ranks& all);

} // namespace ffgan
