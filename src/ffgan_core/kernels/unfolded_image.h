// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions with few channels as products of matrices: an image is unfolded, block by block of
// its places, into rows that the taps of the filters see (im2col), and folded again (col2im).

#pragma once

#include "kernels/convolution_kernels.h"

#include <type_traits>
#include <utility>
#include <vector>

namespace ffgan::layers {

// Places of the map worked on together: their unfolded image, one block of depth of it, stays in
// L2 next to the filters' panels.
constexpr long block_places = 320;

// Rows [begin, end) of one sample's map (or image).
struct segment {
    long sample, begin, end;
};

// Cuts rows [first, last) of the map rows of all samples, numbered through, into blocks of at
// most block_places places. A block takes rows of several samples only where a sample is small.
std::vector<std::vector<segment>> map_blocks(const convolution_shape& s, long first, long last);

// Blocks of image rows for spread: whole samples where their maps are small, bands of a sample
// where it is large, or where there are fewer blocks than threads and too few channels to share.
std::vector<std::vector<segment>> image_blocks(const convolution_shape& s, long samples,
                                               long groups);

// Map rows that touch image rows [begin, end).
std::pair<long, long> touching_rows(const convolution_shape& s, long begin, long end);

long places_of(const std::vector<segment>& block, long columns);

// The values under filter tap (tap_row, tap_column) for map rows [begin, end) of one channel:
// one row of the unfolded image.
void unfold(const convolution_shape& s, const float* channel, long tap_row, long tap_column,
            long begin, long end, float* destination);

// Sums the products of filter taps and map values (rows of `taps_matrix`: one tap each, row
// stride `matrix_stride`, holding map rows from `first_map_row` on) into rows [begin, end) of one
// channel of the image.
void fold(const convolution_shape& s, const float* taps_matrix, long matrix_stride,
          long first_map_row, long end_map_row, long begin, long end, float bias, bool add,
          float* channel);

// Copies a block's map values from the samples' maps into one contiguous matrix (filters x places
// of the block), and back.
void gather_map(const convolution_shape& s, const std::vector<segment>& block, long filters,
                const float* map, float* matrix);
void scatter_map(const convolution_shape& s, const std::vector<segment>& block, long filters,
                 const float* matrix, float* map);

} // namespace ffgan::layers
