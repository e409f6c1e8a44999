// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/generator.h"

#ifdef DLIB_USE_CUDA
#include "base/device.h"
#include "base/pixels.h"
#include "dispatch/instruction_set.h"
#include "networks/network.h"
#include <mutex>
#else
#include "inference/chains.h"
#include "kernels/pixel_kernels.h"
#endif

#include <algorithm>
#include <utility>

namespace ffgan {

#ifdef DLIB_USE_CUDA

// On the device: dlib's own layers.

struct generator::implementation {
    std::mutex mutex; // the network holds its activations
    std::unique_ptr<network> net;

    template <typename consumer>
    void in_batches(const float* latents, long count, const consumer& consume) {
        constexpr long batch_limit = 16; // bounds the memory of a large request: 4 MB an image
        // Before the lock, which in a forked process nobody may be there to give back.
        need_device();
        const std::lock_guard<std::mutex> lock(mutex);
        dlib::resizable_tensor x;
        for (long begin = 0; begin < count; begin += batch_limit) {
            const long batch = std::min(batch_limit, count - begin);
            x.set_size(batch, latent_size, 1, 1);
            std::copy_n(latents + begin * latent_size, batch * latent_size, x.host_write_only());
            consume(begin, net->forward(x));
        }
    }
};

generator::generator(named_tensors parameters, precision products)
    : implementation_(std::make_unique<implementation>()) {
    if (products != precision::float32)
        throw instruction_set_error("bf16 is for the CPU, and this build computes on a GPU: choose "
                                    "float32");
    implementation_->net = make_inference_network("generator", parameters, 0.0f);
}

void generator::generate(const float* latents, long count, std::uint8_t* pixels) const {
    implementation_->in_batches(latents, count, [&](long begin, const dlib::tensor& images) {
        sigmoid_to_pixels(images, pixels + begin * image_values);
    });
}

void generator::generate(const float* latents, long count, float* planes) const {
    implementation_->in_batches(latents, count, [&](long begin, const dlib::tensor& images) {
        std::copy_n(images.host(), images.size(), planes + begin * image_values);
    });
}

std::vector<layer_time> generator::profile(long) const { return {}; }

#else

namespace {

constexpr long square = 2; // pixels per place of the chain's output, in each dimension
constexpr long row_values = image_size * image_channels;

// One row of the image, interleaved RGB, from row y of the squares in row `place` of the output.
void sigmoid_row(const layers::image_view& output, long place, long y, float* row) {
    constexpr long values = square * image_channels;
    for (long x = 0; x < image_size / square; ++x)
        std::copy_n(output.at(place, x) + y * values, values, row + x * values);
    sigmoid_values(row_values, row);
}

} // namespace

struct generator::implementation {
    std::unique_ptr<feed_forward> chain;

    // Calls f(source, sink), which hands latents in and each row of an image out as take(image,
    // row, values): the sigmoids, interleaved RGB.
    template <typename consumer, typename function>
    static void with_rows(const float* latents, const consumer& take, const function& f) {
        f([&](long image,
              float* input) { std::copy_n(latents + image * latent_size, latent_size, input); },
          [&](long image, const layers::image_view& output, long begin, long end) {
              float row[row_values];
              for (long place = begin; place < end; ++place)
                  for (long y = 0; y < square; ++y) {
                      sigmoid_row(output, place, y, row);
                      take(image, square * place + y, row);
                  }
          });
    }

    template <typename consumer>
    void each_row(const float* latents, long count, const consumer& take) const {
        with_rows(latents, take,
                  [&](const auto& source, const auto& sink) { chain->run(count, source, sink); });
    }
};

generator::generator(named_tensors parameters, precision products)
    : implementation_(std::make_unique<implementation>()) {
    implementation_->chain = make_generator_chain(std::move(parameters), products);
}

void generator::generate(const float* latents, long count, std::uint8_t* pixels) const {
    implementation_->each_row(latents, count, [&](long image, long y, const float* row) {
        unit_to_pixels(row_values, row, pixels + image * image_values + y * row_values);
    });
}

void generator::generate(const float* latents, long count, float* planes) const {
    implementation_->each_row(latents, count, [&](long image, long y, const float* row) {
        for (long c = 0; c < image_channels; ++c) {
            float* out = planes + image * image_values + (c * image_size + y) * image_size;
            for (long x = 0; x < image_size; ++x)
                out[x] = row[x * image_channels + c];
        }
    });
}

std::vector<layer_time> generator::profile(long repetitions) const {
    const std::vector<float> latents(latent_size, 0.5f);
    std::vector<std::uint8_t> pixels(image_values);
    std::vector<layer_time> times;
    implementation::with_rows(
        latents.data(),
        [&](long, long y, const float* row) {
            unit_to_pixels(row_values, row, pixels.data() + y * row_values);
        },
        [&](const auto& source, const auto& sink) {
            times = implementation_->chain->profile(source, sink, repetitions);
        });
    return times;
}

#endif

generator::~generator() = default;

} // namespace ffgan
