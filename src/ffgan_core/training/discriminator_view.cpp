// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/discriminator_view.h"

#include "base/shapes.h"
#include "training/gaussian_blur.h"

namespace ffgan {

discriminator_view::discriminator_view(const augment_policy& policy, double blur, std::uint64_t key,
                                       long count, const ranks& all)
    : changes_(policy, key, count, image_size, image_size, all), augments_(!policy.empty()),
      blur_(blur) {}

void discriminator_view::apply(dlib::tensor& images) const {
    if (augments_)
        changes_.apply(images, 0.5f * sigmoid_to_input);
    gaussian_blur(images, blur_);
}

void discriminator_view::adjoint(dlib::tensor& gradient) const {
    gaussian_blur(gradient, blur_);
    if (augments_)
        changes_.adjoint(gradient);
}

} // namespace ffgan
