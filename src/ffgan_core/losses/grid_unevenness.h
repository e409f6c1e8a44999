// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether neighbouring pixels differ more at some places of a grid than at others. An image of the
// world knows no grid. In one that transposed convolutions enlarged twice by two, the two pixels
// that came from one are more alike than those on both sides of an edge between two of them, which
// shows as faint lines, always at the same places.

#pragma once

#include "base/ranks.h"

#include <dlib/cuda/tensor.h>

namespace ffgan {

// For both directions: the mean square, over the places of a grid of 4x4 pixels, of how far the
// squared difference of a pixel and the next one is from its mean over all places, as a share of
// that mean. The sum of both; all images and channels, of all ranks, count together. `gradient`, if
// any, receives the derivative with respect to `images`, n x k x rows x columns. Throws
// std::invalid_argument unless each side has at least five pixels.
double grid_unevenness(const dlib::tensor& images, dlib::resizable_tensor* gradient = nullptr,
                       const ranks& all = {});

} // namespace ffgan
