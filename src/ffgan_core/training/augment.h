// SPDX-License-Identifier: GPL-3.0-or-later
//
// Differentiable augmentation (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient
// GAN Training"): the discriminator sees real and generated images through the same random
// changes, and the generator learns through them. Each change is affine in the pixels, so its
// derivative is a linear map of its own, the adjoint; both are written out here.

#pragma once

#include "base/ranks.h"

#include <dlib/cuda/tensor.h>

#include <cstdint>
#include <vector>

namespace ffgan {

struct augment_policy {
    bool colour = false;  // brightness, saturation, contrast
    long translation = 0; // pixels at the most, each way; what comes in is mid-grey
    long cutout = 0;      // side of a mid-grey square, pixels
    double share = 1;     // of the images, by chance; the others stay as they are

    bool empty() const { return !colour && translation == 0 && cutout == 0; }
};

class augmentation {
  public:
    // Draws the changes for `samples` images of rows x columns from the key and their places in the
    // batch alone.
    augmentation(const augment_policy& policy, std::uint64_t key, long samples, long rows,
                 long columns, const ranks& all = {});

    // In place, on n x 3 x rows x columns. `grey` is the value of mid-grey.
    void apply(dlib::tensor& images, float grey) const;
    // In place: the gradient with respect to the images before apply, from the one after it.
    void adjoint(dlib::tensor& gradient) const;

  private:
    struct draw {
        float brightness, saturation, contrast;
        long down, right;                  // translation
        long top, left, bottom, far_right; // the cut-out square, clipped; empty when top == bottom
    };

    augment_policy policy_;
    std::vector<draw> draws_;
};

} // namespace ffgan
