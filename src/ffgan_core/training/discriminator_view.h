// SPDX-License-Identifier: GPL-3.0-or-later
//
// How discriminators see images: augmented, then blurred. Both are affine, so a gradient goes back
// the same way.

#pragma once

#include "training/augment.h"

#include <cstdint>

namespace ffgan {

class discriminator_view {
  public:
    // The random changes of this rank's `count` images follow from the key; blur is in pixels.
    discriminator_view(const augment_policy& policy, double blur, std::uint64_t key, long count,
                       const ranks& all);

    bool changes_images() const { return augments_ || blur_ > 0; }

    // In place, on count x 3 x 162 x 162 on the scale of pixel_to_input.
    void apply(dlib::tensor& images) const;
    // In place: from the gradient with respect to what is seen to that with respect to the images.
    void adjoint(dlib::tensor& gradient) const;

  private:
    augmentation changes_;
    bool augments_;
    double blur_;
};

} // namespace ffgan
