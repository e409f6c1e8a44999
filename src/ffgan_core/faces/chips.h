// SPDX-License-Identifier: GPL-3.0-or-later
//
// Chips: upright square cut-outs of faces, in which the eyes are always at the same place.

#pragma once

#include "base/rgb_view.h"
#include "faces/landmarks.h"

#include <cstdint>
#include <vector>

namespace ffgan {

// The square of an image that becomes a chip: its centre and side in pixels, and by how many
// radians it is turned, clockwise as one sees it.
struct chip_square {
    double x, y, side, angle;
};

// The squares in which dlib's get_face_chip_details puts faces of 5 or 68 points each, given one
// after another. `padding`: how much is added on each side around the face, as a share of its own
// size; dlib's embedding expects 0.25.
std::vector<chip_square> chip_squares(const std::vector<pixel_position>& points, long per_face,
                                      long size, double padding);

// chips: squares x size x size x 3, black beyond the image.
void cut_chips(const rgb_view& image, const std::vector<chip_square>& squares, long size,
               std::uint8_t* chips);

} // namespace ffgan
