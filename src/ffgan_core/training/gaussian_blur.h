// SPDX-License-Identifier: GPL-3.0-or-later
//
// A low-pass filter in front of the discriminator. What it takes away D cannot judge, nor can D's
// gradient ask for it, so a filter that opens slowly lets G learn coarse things before fine ones
// (Karras et al. 2021, "Alias-Free Generative Adversarial Networks", blur the first images thus).

#pragma once

#include <dlib/cuda/tensor.h>

namespace ffgan {

// In place, on n x k x rows x columns; sigma in pixels. Beyond its edge an image goes on mirrored,
// so the filter is a symmetric matrix: it is its own adjoint, and the same call carries a gradient
// back.
void gaussian_blur(dlib::tensor& images, double sigma);

} // namespace ffgan
