// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far the textures of two batches are apart, without a discriminator: the sliced Wasserstein
// distance (Rabin et al. 2011) of their small patches, octave by octave (Karras et al. 2018 measure
// it so). Along a random direction the nearest way from one set of patches to the other is to sort
// both; so a blurred edge is told to become a sharp one, where a discriminator may just as well
// reward a grid laid over everything. A patch's position counts among its values: skin is compared
// with skin, hair with hair.

#pragma once

#include "base/ranks.h"

#include <dlib/cuda/tensor.h>

#include <cstdint>

namespace ffgan {

constexpr int texture_levels = 3; // the finest ones: 162, 81 and 41 pixels

// The mean squared distance, in units of the targets' variance, summed over the levels. `gradient`
// receives the derivative with respect to `images`. Both are n x 3 x rows x columns; the patches
// and directions follow from the key. whole: the images of all ranks; the result is then this
// rank's part of the distance.
double patch_distance(const dlib::tensor& images, const dlib::tensor& targets, std::uint64_t key,
                      dlib::resizable_tensor& gradient, const ranks& all = {}, long whole = 0);

} // namespace ffgan
