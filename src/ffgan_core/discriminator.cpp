// SPDX-License-Identifier: GPL-3.0-or-later
#include "discriminator.h"

#include "pixels.h"
#include "shapes.h"

#include <algorithm>
#include <stdexcept>

namespace ffgan {
namespace {

constexpr long batch_limit = 8; // bounds the memory: "table" takes 45 MB an image

} // namespace

discriminator::discriminator(const std::string& name, const named_tensors& parameters,
                             float dropout) {
    if (name != "program" && name != "table")
        throw std::invalid_argument("there is no discriminator '" + name +
                                    "': choose program or table");
    network_ = make_inference_network(name, parameters, dropout);
}

void discriminator::score(const std::uint8_t* pixels, long count, float* scores) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    dlib::resizable_tensor x;
    for (long begin = 0; begin < count; begin += batch_limit) {
        const long batch = std::min(batch_limit, count - begin);
        pixels_to_planes(pixels + begin * image_values, batch, pixel_to_input, x);
        const dlib::tensor& y = network_->forward(x);
        std::copy_n(y.host(), batch, scores + begin);
    }
}

} // namespace ffgan
