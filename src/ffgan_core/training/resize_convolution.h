// SPDX-License-Identifier: GPL-3.0-or-later
//
// A transposed convolution with a 4x4 kernel and stride 2 makes each of four neighbouring pixels
// from its own 2x2 part of the kernel. Where the four disagree on the same input, there is a
// checkerboard. Enlarging by nearest neighbours and then convolving with a 3x3 kernel cannot make
// one from a flat input (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"), and is the
// same layer with a 4x4 kernel of a special kind: no row and no column of it has a component along
// (1, -1, 1, -1).

#pragma once

#include <dlib/cuda/tensor.h>

namespace ffgan {

// Takes a share of those components away from the first `count` 4x4 kernels of `filters`: with 1
// they become resize-convolutions, the nearest ones there are.
void remove_checkerboard(dlib::tensor& filters, long count, double share);

} // namespace ffgan
