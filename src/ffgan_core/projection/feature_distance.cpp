// SPDX-License-Identifier: GPL-3.0-or-later
#include "projection/feature_distance.h"

#include <cmath>

namespace ffgan {
namespace {

constexpr double smallest = 1e-6; // square of a length

} // namespace

void normalise_places(const feature_shape& shape, float* features, float* lengths) {
    const long places = shape.side * shape.side;
    for (long i = 0; i < places; ++i) {
        double squares = smallest;
        for (long c = 0; c < shape.channels; ++c)
            squares += static_cast<double>(features[c * places + i]) * features[c * places + i];
        lengths[i] = static_cast<float>(std::sqrt(squares));
    }
    for (long c = 0; c < shape.channels; ++c)
        for (long i = 0; i < places; ++i)
            features[c * places + i] /= lengths[i];
}

double feature_distance(const feature_shape& shape, const float* target, const float* lengths,
                        double factor, float* features) {
    const long places = shape.side * shape.side;
    const double share = 1.0 / static_cast<double>(places);
    double sum = 0;
    for (long i = 0; i < places; ++i) {
        double squares = 0, along = 0; // of the difference, and of it along the features
        for (long c = 0; c < shape.channels; ++c) {
            const double own = features[c * places + i], d = own - target[c * places + i];
            squares += d * d;
            along += d * own;
        }
        sum += squares;
        const double scale = 2 * factor * share / lengths[i];
        for (long c = 0; c < shape.channels; ++c) {
            const double own = features[c * places + i], d = own - target[c * places + i];
            features[c * places + i] = static_cast<float>(scale * (d - own * along));
        }
    }
    return sum * share;
}

} // namespace ffgan
