// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's tensors know one order of values. On the CPU our layers hand theirs on in the one that
// suits them (kernels/layer_values.h), in tensors that have dlib's shape.

#pragma once

#include "kernels/layer_values.h"

#include <dlib/cuda/tensor.h>

namespace ffgan::layers {

struct stored_values {
    dlib::tensor* tensor = nullptr;
    bool channels_last = false;
    const pending_norm* pending = nullptr;

    layer_values view() const { return {tensor->host(), channels_last, pending}; }
};

inline norm_shape shape_of(const dlib::tensor& x) {
    return {static_cast<long>(x.num_samples()), static_cast<long>(x.k()),
            static_cast<long>(x.nr() * x.nc())};
}

} // namespace ffgan::layers
