// SPDX-License-Identifier: GPL-3.0-or-later
//
// A convolution as a file gives it, what follows it folded in.

#pragma once

#include <vector>

namespace ffgan {

struct given_convolution {
    std::vector<float> filters; // (filters, channels, kernel, kernel)
    std::vector<float> bias;    // one for each filter
};

} // namespace ffgan
