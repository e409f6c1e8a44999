// SPDX-License-Identifier: GPL-3.0-or-later
//
// The distance that the warm start trains the generator with: L1 over a Laplacian pyramid
// (Bojanowski et al. 2018, "Optimizing the Latent Space of Generative Networks"). Plain L1 or L2
// leaves the choice of blur or detail to a pixel's average; per octave, edges count as much as flat
// areas.

#pragma once

#include <dlib/cuda/tensor.h>

namespace ffgan {

constexpr int pyramid_levels = 5;

// The sum over the levels of the mean absolute difference, averaged over the batch. `gradient`
// receives the derivative with respect to `images`. Both are n x k x rows x columns. Of the
// `free_levels` finest levels only the amount of detail is compared, around every fourth pixel: a
// code does not say how each hair lies, but it says where hair is. `each`, where it is given,
// receives the loss of every image of the batch. whole: where the images are a part of a batch of
// so many, of which the result is then their part.
double pyramid_loss(const dlib::tensor& images, const dlib::tensor& targets,
                    dlib::resizable_tensor& gradient, int free_levels = 0, double* each = nullptr,
                    long whole = 0);

} // namespace ffgan
