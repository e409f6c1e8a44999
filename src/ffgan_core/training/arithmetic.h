// SPDX-License-Identifier: GPL-3.0-or-later
//
// Linear combinations of tensors, on all cores.

#pragma once

#include <dlib/cuda/tensor.h>

namespace ffgan {

// to = factor * from; to may be from.
void multiply(const dlib::tensor& from, float factor, dlib::tensor& to);

// values = keep * values + (1 - keep) * towards.
void move_towards(dlib::tensor& values, const dlib::tensor& towards, float keep);

} // namespace ffgan
