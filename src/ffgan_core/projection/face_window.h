// SPDX-License-Identifier: GPL-3.0-or-later
//
// The aligned face of an image, cut out in a way that a gradient finds back: what the recognition
// network should see of an image in the training framing.

#pragma once

#include "base/shapes.h"
#include "faces/chips.h"
#include "pretrained/face_embedding.h"

namespace ffgan {

constexpr long window_values = image_channels * face_chip_size * face_chip_size;

// The part of an image (3 x 162 x 162) that is the chip of the square, as cut_chips cuts it:
// 3 x 150 x 150, bilinear, black beyond the image.
void cut_window(const chip_square& square, const float* image, float* window);

// Adds the gradient with respect to the image to `gradient`, from that with respect to the window.
void cut_window_adjoint(const chip_square& square, const float* of_window, float* gradient);

} // namespace ffgan
