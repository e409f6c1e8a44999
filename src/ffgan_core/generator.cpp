// SPDX-License-Identifier: GPL-3.0-or-later
#include "generator.h"

#include "pixels.h"

#include <algorithm>

namespace ffgan {
namespace {

constexpr long batch_limit = 16; // bounds the memory of a large request: 4 MB an image

} // namespace

generator::generator(const named_tensors& parameters)
    : network_(make_inference_network("generator", parameters, 0.0f)) {}

template <typename consumer>
void generator::in_batches(const float* latents, long count, const consumer& consume) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    dlib::resizable_tensor x;
    for (long begin = 0; begin < count; begin += batch_limit) {
        const long batch = std::min(batch_limit, count - begin);
        x.set_size(batch, latent_size, 1, 1);
        std::copy_n(latents + begin * latent_size, batch * latent_size, x.host_write_only());
        consume(begin, network_->forward(x));
    }
}

void generator::generate(const float* latents, long count, std::uint8_t* pixels) const {
    in_batches(latents, count, [&](long begin, const dlib::tensor& images) {
        sigmoid_to_pixels(images, pixels + begin * image_values);
    });
}

void generator::generate(const float* latents, long count, float* planes) const {
    in_batches(latents, count, [&](long begin, const dlib::tensor& images) {
        std::copy_n(images.host(), images.size(), planes + begin * image_values);
    });
}

} // namespace ffgan
