// SPDX-License-Identifier: GPL-3.0-or-later
//
// The Laplacian pyramid of one channel (Burt and Adelson 1983): each band holds what one octave of
// detail adds to the next smaller image. It is linear, and its adjoint carries a gradient with
// respect to the bands back to the image.

#pragma once

#include <cstddef>
#include <vector>

namespace ffgan {

// One channel of an image, row by row.
struct plane {
    long rows = 0, columns = 0;
    std::vector<float> values;

    plane() = default;
    plane(long r, long c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c), 0.0f) {}
    float* row(long r) { return values.data() + r * columns; }
    const float* row(long r) const { return values.data() + r * columns; }
};

// `levels` bands, fine to coarse; the last is what remains of the image itself. Each has half the
// rows and columns of the one before, rounded up.
std::vector<plane> laplacian_bands(plane image, int levels);

// The gradient with respect to the image, from that with respect to its bands.
plane laplacian_adjoint(std::vector<plane> bands);

// Half the rows and columns, rounded up: a binomial blur of five taps, of which every other is
// kept.
plane shrink(const plane& image);
// Its adjoint: the gradient with respect to an image of so many rows and columns.
plane shrink_adjoint(const plane& gradient, long rows, long columns);

} // namespace ffgan
