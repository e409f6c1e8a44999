// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sizes of a convolution, or of a transposed one: the "image" is the tensor on the fine grid,
// the "map" that on the coarse grid.

#pragma once

namespace ffgan::layers {

// Shapes, in dlib's order (sample, channel, row, column): image (n, channels, rows, columns), map
// (n, filters, map_rows, map_columns), W (filters, channels, kernel, kernel).
struct convolution_shape {
    long channels, rows, columns;
    long filters, map_rows, map_columns;
    long kernel, stride, padding;

    // The shape of a convolution over images of the given size. Throws std::invalid_argument when
    // the filter does not fit into the padded image.
    static convolution_shape over_image(long channels, long rows, long columns, long filters,
                                        long kernel, long stride, long padding);

    // The shape of a transposed convolution from maps of the given size: the image is
    // stride * (map - 1) + kernel - 2 * padding. Throws std::invalid_argument when that is < 1.
    static convolution_shape from_map(long filters, long map_rows, long map_columns, long channels,
                                      long kernel, long stride, long padding);
};

} // namespace ffgan::layers
