// SPDX-License-Identifier: GPL-3.0-or-later
#include "plans/convolution_shape.h"

#include <stdexcept>
#include <string>

namespace ffgan::layers {

convolution_shape convolution_shape::over_image(long channels, long rows, long columns,
                                                long filters, long kernel, long stride,
                                                long padding) {
    if (kernel > rows + 2 * padding || kernel > columns + 2 * padding)
        throw std::invalid_argument("a convolution with a " + std::to_string(kernel) + "x" +
                                    std::to_string(kernel) + " kernel and padding " +
                                    std::to_string(padding) + " needs a larger image than " +
                                    std::to_string(rows) + "x" + std::to_string(columns));
    return {channels,
            rows,
            columns,
            filters,
            (rows + 2 * padding - kernel) / stride + 1,
            (columns + 2 * padding - kernel) / stride + 1,
            kernel,
            stride,
            padding};
}

convolution_shape convolution_shape::from_map(long filters, long map_rows, long map_columns,
                                              long channels, long kernel, long stride,
                                              long padding) {
    const long rows = stride * (map_rows - 1) + kernel - 2 * padding;
    const long columns = stride * (map_columns - 1) + kernel - 2 * padding;
    if (rows < 1 || columns < 1)
        throw std::invalid_argument("a transposed convolution with a " + std::to_string(kernel) +
                                    "x" + std::to_string(kernel) + " kernel and padding " +
                                    std::to_string(padding) + " leaves nothing of a " +
                                    std::to_string(map_rows) + "x" + std::to_string(map_columns) +
                                    " map");
    return {channels, rows, columns, filters, map_rows, map_columns, kernel, stride, padding};
}

} // namespace ffgan::layers
