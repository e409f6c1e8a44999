// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the time of a training step goes: the convolutions of a network, one by one.

#pragma once

#include <string>
#include <vector>

namespace ffgan {

// Milliseconds per image.
struct training_times {
    std::string name;
    double forward;
    double data_gradient; // not needed for the first layer but where G learns through D
    double filter_gradient;
};

// Medians of `repetitions` runs on random values, `batch` images at a time. Empty where the layers
// run on a device. Throws std::invalid_argument when there is no such network.
std::vector<training_times> profile_training(const std::string& network, long batch,
                                             long repetitions);

} // namespace ffgan
