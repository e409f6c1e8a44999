// SPDX-License-Identifier: GPL-3.0-or-later
//
// EfficientNet-Lite (Tan and Le 2019) as a feature_network: trained to name what is in pictures, it
// knows textures, hair, glasses, hats and backgrounds, to which a network that tells people apart
// is blind on purpose.

#pragma once

#include "base/named_tensor.h"
#include "pretrained/feature_network.h"

#include <memory>

namespace ffgan {

// weights: the convolutions with their batch norms folded in, stem.weight (filters, 3, k, k),
// block<i>.expand.weight (filters, channels, 1, 1), which may be missing, block<i>.depthwise.weight
// (channels, 1, 3, 3) or (.., 5, 5) and block<i>.project.weight (filters, channels, 1, 1), each
// with its .bias; `head` likewise, which ends in the embedding; `strides`, of each block; and, if
// images are to be enlarged first, `side`. Others are not looked at. The features are what the last
// block at each size puts out, from below 81x81 down. Throws std::invalid_argument that names the
// tensor which is missing or has another shape. It is computed by the processor also where there is
// CUDA.
std::unique_ptr<feature_network> make_imagenet_features(const named_tensors& weights);

} // namespace ffgan
