// SPDX-License-Identifier: GPL-3.0-or-later
//
// How much an image's colour varies from pixel to pixel. The eye sees little of that, and JPEG and
// video keep chroma at half the resolution of luma (4:2:0), so photographs have next to none. A
// generator's three channels are made apart from each other, and where they disagree a little there
// are specks of colour, in every image and at every place.

#pragma once

#include "base/ranks.h"

#include <dlib/cuda/tensor.h>

namespace ffgan {

// The mean square of what the two chroma planes (of JFIF, in steps of 1/255) lose when they are
// averaged over 2x2 pixels and enlarged bilinearly again, over the images of all ranks. `gradient`,
// if any, receives the derivative with respect to `images`, n x 3 x rows x columns from 0 to 1.
// Throws std::invalid_argument unless there are three channels and an even number of rows and of
// columns.
double chroma_detail(const dlib::tensor& images, dlib::resizable_tensor* gradient = nullptr,
                     const ranks& all = {});

} // namespace ffgan
