// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/pixels.h"

#include "base/shapes.h"
#include "base/threads.h"

namespace ffgan {
namespace {

constexpr long plane = image_size * image_size;

} // namespace

void sigmoid_to_pixels(const dlib::tensor& images, std::uint8_t* pixels) {
    const float* values = images.host();
    parallel_chunks(static_cast<long>(images.num_samples()), [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const float* image = values + n * image_values;
            std::uint8_t* out = pixels + n * image_values;
            for (long i = 0; i < plane; ++i)
                for (long c = 0; c < image_channels; ++c)
                    out[i * image_channels + c] =
                        static_cast<std::uint8_t>(image[c * plane + i] * 255.0f + 0.5f);
        }
    });
}

void pixels_to_planes(const std::uint8_t* pixels, long count, float scale,
                      dlib::resizable_tensor& planes) {
    planes.set_size(count, image_channels, image_size, image_size);
    pixels_to_planes(pixels, count, scale, planes.host_write_only());
}

void pixels_to_planes(const std::uint8_t* pixels, long count, float scale, float* values) {
    parallel_chunks(count, [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const std::uint8_t* in = pixels + n * image_values;
            float* image = values + n * image_values;
            for (long i = 0; i < plane; ++i)
                for (long c = 0; c < image_channels; ++c)
                    image[c * plane + i] = static_cast<float>(in[i * image_channels + c]) * scale;
        }
    });
}

} // namespace ffgan
