// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/discriminator.h"

#include "base/shapes.h"

#ifdef DLIB_USE_CUDA
#include "base/device.h"
#include "base/pixels.h"
#include "networks/network.h"
#include <mutex>
#else
#include "inference/chains.h"
#include "kernels/pixel_kernels.h"
#include "networks/architecture.h"
#endif

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ffgan {
namespace {

const std::string& checked(const std::string& name) {
    if (name != "program" && name != "table")
        throw std::invalid_argument("there is no discriminator '" + name +
                                    "': choose program or table");
    return name;
}

} // namespace

#ifdef DLIB_USE_CUDA

// On the device: dlib's own layers.

struct discriminator::implementation {
    std::mutex mutex; // the network holds its activations
    std::unique_ptr<network> net;
};

discriminator::discriminator(const std::string& name, named_tensors parameters, float dropout)
    : implementation_(std::make_unique<implementation>()) {
    implementation_->net = make_inference_network(checked(name), parameters, dropout);
}

void discriminator::score(const std::uint8_t* pixels, long count, float* scores) const {
    constexpr long batch_limit = 8; // bounds the memory: "table" takes 45 MB an image
    // Before the lock, which in a forked process nobody may be there to give back.
    need_device();
    const std::lock_guard<std::mutex> lock(implementation_->mutex);
    dlib::resizable_tensor x;
    for (long begin = 0; begin < count; begin += batch_limit) {
        const long batch = std::min(batch_limit, count - begin);
        pixels_to_planes(pixels + begin * image_values, batch, pixel_to_input, x);
        const dlib::tensor& y = implementation_->net->forward(x);
        std::copy_n(y.host(), batch, scores + begin);
    }
}

std::vector<layer_time> discriminator::profile(long) const { return {}; }

#else

struct discriminator::implementation {
    std::unique_ptr<feed_forward> chain;
    // Of the last, fully connected layer.
    std::vector<float> weights; // in the order of the chain's output: row, column, channel
    float bias = 0;
};

discriminator::discriminator(const std::string& name, named_tensors parameters, float dropout)
    : implementation_(std::make_unique<implementation>()) {
    check_parameters(checked(name), parameters);
    implementation_->bias = parameters.at("fc.bias").values[0];
    const std::vector<float> given = parameters.at("fc.weight").values;
    implementation_->chain = make_discriminator_chain(name, std::move(parameters), dropout);
    const layers::tiling& last = implementation_->chain->layers().back().how;
    const std::size_t channels = static_cast<std::size_t>(last.out_channels);
    const std::size_t places = given.size() / channels;
    implementation_->weights.resize(given.size());
    for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t i = 0; i < places; ++i)
            implementation_->weights[i * channels + c] = given[c * places + i];
}

namespace {

// The input of a chain that takes pixels, or squares of them.
void to_input(const feed_forward& chain, const std::uint8_t* pixels, float* input) {
    const long taken = chain.layers().front().how.in_channels;
    if (taken == image_channels) {
        pixels_to_floats(image_values, pixels, pixel_to_input, input);
        return;
    }
    constexpr long squares = image_size / square_side, values = square_side * image_channels;
    float row[image_size * image_channels];
    for (long y = 0; y < image_size; ++y) {
        pixels_to_floats(image_size * image_channels, pixels + y * image_size * image_channels,
                         pixel_to_input, row);
        float* target = input + y / square_side * squares * taken + y % square_side * values;
        for (long x = 0; x < squares; ++x)
            std::copy_n(row + x * values, values, target + x * taken);
    }
}

} // namespace

void discriminator::score(const std::uint8_t* pixels, long count, float* scores) const {
    const layers::tiling& last = implementation_->chain->layers().back().how;
    implementation_->chain->run(
        count,
        [&](long image, float* input) {
            to_input(*implementation_->chain, pixels + image * image_values, input);
        },
        [&](long image, const layers::image_view& output, long begin, long end) {
            // Few values: one thread has all rows.
            const float* weight = implementation_->weights.data();
            double sum = begin == 0 ? implementation_->bias : 0;
            for (long row = begin; row < end; ++row)
                for (long column = 0; column < last.out_columns; ++column)
                    for (long c = 0; c < last.out_channels; ++c)
                        sum += static_cast<double>(output.at(row, column)[c]) * *weight++;
            scores[image] = static_cast<float>(sum);
        });
}

std::vector<layer_time> discriminator::profile(long repetitions) const {
    const std::vector<std::uint8_t> pixels(image_values, 128);
    return implementation_->chain->profile(
        [&](long, float* input) { to_input(*implementation_->chain, pixels.data(), input); },
        [](long, const layers::image_view&, long, long) {}, repetitions);
}

#endif

discriminator::~discriminator() = default;

} // namespace ffgan
