// SPDX-License-Identifier: GPL-3.0-or-later
//
// A picture in the caller's memory, and the boxes of the faces in it.

#pragma once

#include <cstdint>

namespace ffgan {

// Interleaved 8-bit RGB, row by row; the memory is the caller's.
struct rgb_view {
    const std::uint8_t* pixels;
    long rows;
    long columns;
};

// In pixels, half-open: the box has the columns from `left` to before `right`. It may reach beyond
// the image.
struct face_box {
    long left, top, right, bottom;
    double confidence;
};

} // namespace ffgan
