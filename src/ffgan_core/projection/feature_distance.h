// SPDX-License-Identifier: GPL-3.0-or-later
//
// How differently a network sees two images: LPIPS (Zhang et al. 2018, "The Unreasonable
// Effectiveness of Deep Features as a Perceptual Metric") without learned weights.

#pragma once

#include "base/shapes.h"

namespace ffgan {

// Divides the features at each place by their length there. lengths: side x side.
void normalise_places(const feature_shape& shape, float* features, float* lengths);

// The mean over the places of the squared distance of two normalised features, from 0 to 4; the
// derivative, times `factor`, with respect to the features before they were normalised takes their
// place.
double feature_distance(const feature_shape& shape, const float* target, const float* lengths,
                        double factor, float* features);

} // namespace ffgan
