// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the layers of a network that trains hand their values on. Convolutions want the channels of a
// pixel side by side, and a norm with its activation and dropout is a few operations on values that
// are in the cache when they are read: so between convolutions nothing is stored in dlib's order
// (planes), nor after the norm. Only what a convolution gives is kept, and whoever reads it, the
// next layer forward and the gradient of its filters backward, applies the rest on the way.

#pragma once

#include "kernels/norm_kernels.h"

namespace ffgan::layers {

// The norm (x - mean) * scale + shift per channel, and what surrounds it. The mask's bits are in
// the order of the values in memory.
struct pending_norm {
    norm_surroundings around;
    const float* means = nullptr; // null: no norm, only the activation after it and the dropout
    const float* scales = nullptr;
    const float* shifts = nullptr;
};

// (samples, channels, rows, columns) in dlib's order or, with channels_last, (samples, rows,
// columns, channels), the channels then a multiple of 8. What is pending is applied by the reader;
// only with channels_last.
struct layer_values {
    const float* values;
    bool channels_last = false;
    const pending_norm* pending = nullptr;
};

// Where a layer writes. Only what is in dlib's order can be added to.
struct layer_target {
    float* values;
    bool channels_last = false;
    bool add = false;
};

} // namespace ffgan::layers
