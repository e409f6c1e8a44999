// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions by the plans of tiling.h: filters are packed once and streamed past blocks of tiles.
// Data are read and written through views with the channels of a pixel side by side.

#pragma once

#include "kernels/fetch_ahead.h"
#include "kernels/layer_values.h"
#include "plans/tiled_filters.h"

#include <functional>
#include <vector>

namespace ffgan::layers {

// Channel c of pixel (row, column) is origin[row * row_stride + column * pixel_stride + c].
struct image_view {
    float* origin;
    long row_stride;
    long pixel_stride;

    float* at(long row, long column) const {
        return origin + row * row_stride + column * pixel_stride;
    }
};

// What happens to an output before it is stored: plus bias, then x > 0 ? x : slope * x, then times
// scale plus shift. Arrays are padded to a multiple of 16 channels, or null.
struct epilogue {
    const float* bias = nullptr;
    bool activate = false;
    float slope = 0;
    const float* scale = nullptr;
    const float* shift = nullptr;
};

// One row of tiles of one sample. The views must be readable and writable wherever the tiling
// reads and writes; a pixel of `out` has room for whole panels of 16 channels, or for its channels
// only.
struct strip {
    image_view in;
    image_view out;
    long tile_row;
};

// Puts filters (shape.filters, shape.channels, kernel, kernel) into that form; `storage` holds
// plan.size() floats.
void pack_filters(const tiled_filters& plan, const float* filters, float* storage);

// Computes outputs [first, last) of the strips, an output being a pair (phase, panel of channels),
// numbered phase * panels + panel. Before chunk c of the depth is worked on, load(c) makes the
// views `in` show its channels, the chunk's first one as channel 0 (without minimal filtering: all
// channels). exact: see panel_product.h.
void run_strips(const tiled_filters& filters, const float* storage, std::vector<strip>& strips,
                long first, long last, const epilogue& end,
                const std::function<void(long chunk)>& load, fetch_ahead next = {},
                bool exact = true);

// So many products run_strips makes, each of which is a step of `next`.
long products_of(const tiled_filters& filters, long outputs);

// For training, where a last bit does not matter:
// out (samples, out_channels, out_rows, out_columns) = or += the output of `way` plus bias. Where
// `squares` is given, the output is plans/pixel_squares.h's for an image of that shape, which is
// written.
void convolve(const tiling& how, long samples, const layer_values& in, const float* filters,
              const float* bias, const layer_target& out,
              const convolution_shape* squares = nullptr);

// As filter_gradient of convolution_kernels.h, the same bytes at any number of threads.
void tiled_filter_gradient(const convolution_shape& shape, long samples, const layer_values& image,
                           const layer_values& map, float* gradient);

} // namespace ffgan::layers
