// SPDX-License-Identifier: GPL-3.0-or-later

#pragma once

#include <string>

namespace ffgan {

struct layer_time {
    std::string name; // as in the network's rows; "input and output" for what is no layer
    double milliseconds;
};

} // namespace ffgan
