// SPDX-License-Identifier: GPL-3.0-or-later
#include "plans/pixel_squares.h"

#include "base/sizes.h"

namespace ffgan::layers {

bool has_pixel_squares(const convolution_shape& s) {
    return s.kernel == 4 && s.stride == 2 && s.padding <= 1 && s.channels <= 4 && s.filters >= 16;
}

convolution_shape shape_of_squares(const convolution_shape& s) {
    return convolution_shape::over_image(s.filters, s.map_rows, s.map_columns, 4 * s.channels, 2, 1,
                                         1);
}

std::vector<float> filters_of_squares(const convolution_shape& s, const float* filters) {
    std::vector<float> result(count(16 * s.filters * s.channels));
    // Row 2 Y + y comes from rows Y - 1 and Y of the map, through taps y + 2 and y; columns
    // likewise.
    float* target = result.data();
    for (long y = 0; y < 2; ++y)
        for (long x = 0; x < 2; ++x)
            for (long c = 0; c < s.channels; ++c)
                for (long in = 0; in < s.filters; ++in)
                    for (long a = 0; a < 2; ++a)
                        for (long b = 0; b < 2; ++b)
                            *target++ = filters[((in * s.channels + c) * 4 + y + 2 * (1 - a)) * 4 +
                                                x + 2 * (1 - b)];
    return result;
}

std::vector<float> bias_of_squares(const convolution_shape& s, const float* bias) {
    std::vector<float> result;
    for (long square = 0; square < 4; ++square)
        result.insert(result.end(), bias, bias + s.channels);
    return result;
}

} // namespace ffgan::layers
