// SPDX-License-Identifier: GPL-3.0-or-later
//
// 8-bit RGB pictures in other sizes, with the same bytes on every machine. The faces served, the
// training images and what evaluation measures all pass through here, and the resizing of image
// libraries rounds otherwise with every processor and version. Whole numbers do not round.

#pragma once

#include <cstdint>

namespace ffgan {

struct picture_size {
    long rows;
    long columns;
};

// Rows of a picture, `stride` bytes apart; the pixels of a row lie side by side.
struct picture_rows {
    const std::uint8_t* pixels;
    picture_size size;
    long stride;
};

// The longest side that is resized, from and to: what keeps the sums below within 64 bits.
constexpr long longest_side = 1 << 20;

// Throws std::invalid_argument for a side outside 1 to `longest_side`.
void check_resizing(picture_size from, picture_size to);

// A side that shrinks is averaged over the area of each new pixel: the exact average, halves
// rounded up. Then one that grows is interpolated by Keys's cubic convolution (1981) with
// a = -3/4, beyond the border as the outermost pixel. A side that stays is not touched. `resized`
// has room for size.rows * size.columns * 3. Throws as `check_resizing` does.
void resize(const picture_rows& picture, picture_size size, std::uint8_t* resized);

// The averages themselves, 0 to 255, of a picture that grows in neither direction; else throws.
void average_areas(const picture_rows& picture, picture_size size, float* averages);

} // namespace ffgan
