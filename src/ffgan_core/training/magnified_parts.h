// SPDX-License-Identifier: GPL-3.0-or-later
//
// Details, which a network that others trained sees coarsely, shown to it at twice their size: of
// each image a quarter at a random place, the same one in both images of a pair.

#pragma once

#include "base/ranks.h"

#include <dlib/cuda/tensor.h>

#include <cstdint>

namespace ffgan {

// images: `all` real ones, then as many fakes, 3 x 162 x 162 each. `parts` receives those of the
// first `count` of each kind, of the same size. The images are this rank's.
void magnify(const float* images, long all, long count, std::uint64_t key, const ranks& of,
             dlib::resizable_tensor& parts);

// Adds the gradient with respect to the `count` fakes' parts to that with respect to the fakes.
void magnify_adjoint(const float* of_parts, long count, std::uint64_t key, const ranks& of,
                     float* gradient);

} // namespace ffgan
