// SPDX-License-Identifier: GPL-3.0-or-later
//
// A picture as dlib's functions want it.

#pragma once

#include "base/rgb_view.h"

#include <dlib/array2d.h>
#include <dlib/pixel.h>

namespace ffgan {

using dlib_image = dlib::array2d<dlib::rgb_pixel>;

inline dlib_image to_dlib_image(const rgb_view& view) {
    dlib_image result(view.rows, view.columns);
    for (long row = 0; row < view.rows; ++row) {
        const std::uint8_t* pixel = view.pixels + row * view.columns * 3;
        for (long column = 0; column < view.columns; ++column, pixel += 3)
            result[row][column] = dlib::rgb_pixel(pixel[0], pixel[1], pixel[2]);
    }
    return result;
}

} // namespace ffgan
