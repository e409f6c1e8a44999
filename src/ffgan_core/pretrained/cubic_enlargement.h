// SPDX-License-Identifier: GPL-3.0-or-later
//
// Square planes on a finer grid, by Keys's cubic convolution with a = -3/4 (Keys 1981), as
// base/resize.h enlarges pictures, and the way back of gradients. In floating point: values are not
// rounded, nor kept in a range.

#pragma once

#include <vector>

namespace ffgan {

class cubic_enlargement {
  public:
    // From `from` x `from` to `to` x `to`, which is no smaller; copies where they are the same.
    cubic_enlargement(long from, long to);

    long to() const { return to_; }

    // plane: from x from; result: to x to.
    void apply(const float* plane, float* result) const;
    // gradient: with respect to the result; of_plane receives that with respect to the plane.
    void adjoint(const float* gradient, float* of_plane) const;

  private:
    struct taps {
        long places[4];
        float weights[4];
    };

    long from_, to_;
    std::vector<taps> taps_; // of each row or column
};

} // namespace ffgan
