// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the convolutions of tiled_convolution.h and the gradient of their filters share.

#pragma once

#include "kernels/layer_values.h"
#include "kernels/minimal_filtering.h"
#include "kernels/tiled_convolution.h"

#include <vector>

namespace ffgan::layers {

// Keeps the positions of a tile, which are written together, out of one set of the L1 cache.
constexpr long position_padding = 16;

// Calls f(minimal_filtering<tile, taps>()).
template <class F> void with_transform(long tile, long taps, const F& f) {
    if (tile == 2 && taps == 2)
        f(minimal_filtering<2, 2>());
    else if (tile == 3 && taps == 2)
        f(minimal_filtering<3, 2>());
    else if (tile == 4 && taps == 2)
        f(minimal_filtering<4, 2>());
    else if (tile == 5 && taps == 2)
        f(minimal_filtering<5, 2>());
    else if (tile == 2 && taps == 3)
        f(minimal_filtering<2, 3>());
    else
        f(minimal_filtering<4, 3>());
}

// The transformed windows of the strips' tiles in the given phases of the input, of channels
// [begin, end) (without minimal filtering: of rows [begin, end) of the window):
// v[position][depth / 16][tile][16], with zeros up to a multiple of 16 channels (or values).
void fill_windows(const tiling& how, const std::vector<strip>& strips,
                  const std::vector<place>& planes, long begin, long end, float* v,
                  long position_stride);

// Copies the rows that a strip of a sample reads, of channels [begin, end), into `pixels`, whose
// pixels have `stride` floats: zeros where the image ends.
void load_rows(const tiling& how, const layer_values& in, long sample, long tile_row, long begin,
               long end, float* pixels, long stride);

// The rows that strips [first, last), numbered through all samples, read of values whose channels
// lie side by side.
fetch_ahead rows_ahead(const tiling& how, const layer_values& in, long first, long last,
                       long steps);

// Copies channels [begin, end) of n pixels in a row, of `channels` channels and `plane_size` pixels
// a sample, from pixel `first` of a sample on.
void load_pixels(const layer_values& from, long sample, long channels, long plane_size, long first,
                 long n, long begin, long end, float* pixels, long stride);

} // namespace ffgan::layers
