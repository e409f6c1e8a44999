// SPDX-License-Identifier: GPL-3.0-or-later
//
// A convolution, its adjoint and the gradient of its filters as products of matrices whose rows are
// tiles of the output and whose columns are channels.
//
// Both directions are first taken apart into convolutions of stride 1. With stride s, tap s * a + b
// of a filter only ever meets the pixels of phase b, those whose place is b modulo s (plus the
// padding): a convolution is the sum over s x s phases of the input of small convolutions with
// every s-th tap, and a transposed convolution is s x s small convolutions, one per phase of its
// output.
//
// Small convolutions of 2 or 3 taps then take fewer multiplications by minimal filtering (Winograd:
// "Arithmetic complexity of computations", 1980; Lavin, Gray: "Fast algorithms for convolutional
// neural networks", CVPR 2016): F(m, r) makes m outputs of r taps from m + r - 1 products, so
// F(2, 2) in two dimensions does with 9 products what takes 16, and F(2, 3) with 16 what takes 36.
// Where that does not pay, the taps themselves are the columns.

#pragma once

#include "plans/convolution_shape.h"

#include <vector>

namespace ffgan::layers {

struct place {
    long row, column;
};

// Larger tiles take fewer products and round more: of two in a row a gradient, and the penalty on a
// difference of scores, would have errors of a hundredth.
constexpr long largest_tile = 5, largest_tile_in_training = 4;

// How the output of one direction is made.
struct tiling {
    // W correlated with the image, or its adjoint (see convolution_kernels.h).
    enum class direction { correlate, spread };

    // Picks the algorithm with the fewest multiplications, with tiles up to `largest`.
    tiling(const convolution_shape& shape, direction way, long largest = largest_tile);

    direction way;
    convolution_shape shape;
    long tile;   // outputs per tile in each dimension, within a phase of the output
    long taps;   // of a small convolution, in each dimension
    long window; // inputs per tile in each dimension
    bool minimal_filtering;
    long in_channels, in_rows, in_columns;
    long out_channels, out_rows, out_columns;
    // From a tile to the next one, in pixels of input and output; and within a window.
    long in_step, out_step, window_step;
    // Phases of the output; the input window of tile 0 for each phase of the input that it needs.
    std::vector<place> out_planes;
    std::vector<std::vector<place>> in_planes; // per out_plane
    long tile_rows, tile_columns;

    // Products per tile and pair of channels.
    long positions() const { return minimal_filtering ? window * window : 1; }
    // Rows of the input, from `first_row` on, that tile row `row` reads; columns likewise, of all
    // tiles. Outside of the input they count as 0.
    long first_row(long tile_row) const;
    long rows_read() const;
    long first_column() const;
    long columns_read() const;
};

} // namespace ffgan::layers
