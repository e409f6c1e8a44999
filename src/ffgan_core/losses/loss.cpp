// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/loss.h"

#include "base/pixels.h"
#include "base/shapes.h"

namespace ffgan {

void real_planes::set(const std::uint8_t* pixels, long count) {
    pixels_ = pixels;
    count_ = count;
    converted_ = false;
}

const dlib::tensor& real_planes::planes() {
    if (!converted_) {
        planes_.set_size(count_, image_channels, image_size, image_size);
        pixels_to_planes(pixels_, count_, 1 / 255.0f, planes_.host_write_only());
        converted_ = true;
    }
    return planes_;
}

void generator_loss::add_state(const std::string&, named_tensors&) const {}
void generator_loss::load_state(const std::string&, const named_tensors&) {}

} // namespace ffgan
