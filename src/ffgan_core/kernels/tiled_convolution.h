// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef FFGAN_LAYERS_TILED_CONVOLUTION_H
#define FFGAN_LAYERS_TILED_CONVOLUTION_H

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
//
// Data are read and written through views with the channels of a pixel side by side.

#include "kernels/convolution_kernels.h"

#include <functional>
#include <vector>

namespace ffgan::layers {

/// Channel c of pixel (row, column) is origin[row * row_stride + column * pixel_stride + c].
struct image_view {
    float* origin;
    long row_stride;
    long pixel_stride;

    float* at(long row, long column) const {
        return origin + row * row_stride + column * pixel_stride;
    }
};

struct place {
    long row, column;
};

/// How the output of one direction is made.
struct tiling {
    /// W correlated with the image, or its adjoint (see convolution_kernels.h).
    enum class direction { correlate, spread };

    /// Picks the algorithm with the fewest multiplications.
    tiling(const convolution_shape& shape, direction way);

    direction way;
    convolution_shape shape;
    long tile;   // outputs per tile in each dimension, within a phase of the output
    long taps;   // of a small convolution, in each dimension
    long window; // inputs per tile in each dimension
    bool minimal_filtering;
    long in_channels, in_rows, in_columns;
    long out_channels, out_rows, out_columns;
    /// From a tile to the next one, in pixels of input and output; and within a window.
    long in_step, out_step, window_step;
    /// Phases of the output; the input window of tile 0 for each phase of the input that it needs.
    std::vector<place> out_planes;
    std::vector<std::vector<place>> in_planes; // per out_plane
    long tile_rows, tile_columns;

    /// Products per tile and pair of channels.
    long positions() const { return minimal_filtering ? window * window : 1; }
    /// Rows of the input, from `first_row` on, that tile row `row` reads; columns likewise, of all
    /// tiles. Outside of the input they count as 0.
    long first_row(long tile_row) const;
    long rows_read() const;
    long first_column() const;
    long columns_read() const;
};

/// What happens to an output before it is stored: plus bias, then x > 0 ? x : slope * x, then times
/// scale plus shift. Arrays are padded to a multiple of 16 channels, or null.
struct epilogue {
    const float* bias = nullptr;
    bool activate = false;
    float slope = 0;
    const float* scale = nullptr;
    const float* shift = nullptr;
};

/// Filters in the form in which a tiling multiplies them.
class tiled_filters {
  public:
    explicit tiled_filters(const tiling& how);

    /// filters: (shape.filters, shape.channels, kernel, kernel). `storage` holds size() floats.
    long size() const { return size_; }
    void pack(const float* filters, float* storage) const;

    const tiling& how() const { return how_; }
    /// Channels (or rows of taps, without minimal filtering) are worked on in `chunks()` parts.
    long chunks() const { return chunks_; }
    long chunk_begin(long chunk) const { return chunk * chunk_size_; }
    long chunk_end(long chunk) const;
    long depth(long chunk) const;
    long panels() const { return panels_; } // per phase of the output

    /// The panels (depth x 16) of all positions for one phase and panel of the output.
    const float* panel(const float* storage, long plane, long chunk, long panel) const;

  private:
    tiling how_;
    long chunk_size_, chunks_, panels_, size_;
};

/// One row of tiles of one sample. The views must be readable and writable wherever the tiling
/// reads and writes; a pixel of `out` has room for whole panels of 16 channels, or for its channels
/// only.
struct strip {
    image_view in;
    image_view out;
    long tile_row;
};

/// Computes outputs [first, last) of the strips, an output being a pair (phase, panel of channels),
/// numbered phase * panels + panel. Before chunk c of the depth is worked on, load(c) makes the
/// views `in` show its channels, the chunk's first one as channel 0 (without minimal filtering: all
/// channels).
void run_strips(const tiled_filters& filters, const float* storage, std::vector<strip>& strips,
                long first, long last, const epilogue& end,
                const std::function<void(long chunk)>& load);

/// out (samples, out_channels, out_rows, out_columns) = or += the output of `way` plus bias, in
/// dlib's layout.
void convolve(const tiling& how, long samples, const float* in, const float* filters,
              const float* bias, bool add, float* out);

/// As filter_gradient of convolution_kernels.h, the same bytes at any number of threads.
void tiled_filter_gradient(const convolution_shape& shape, long samples, const float* image,
                           const float* map, float* gradient);

} // namespace ffgan::layers

#endif
