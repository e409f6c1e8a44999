// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/face_embedding.h"

#include "base/shapes.h"
#include "base/threads.h"

#include <algorithm>
#include <utility>
#include <vector>

#ifdef DLIB_USE_CUDA
#include "base/network_pool.h"
#include "pretrained/recognition_network.h"

#include <stdexcept>
#else
#include "pretrained/recognition_layers.h"
#endif

namespace ffgan {

#ifdef DLIB_USE_CUDA

namespace {

using chip = dlib::matrix<dlib::rgb_pixel>;

chip to_chip(const std::uint8_t* pixels) {
    chip result(face_chip_size, face_chip_size);
    for (dlib::rgb_pixel& pixel : result) {
        pixel = dlib::rgb_pixel(pixels[0], pixels[1], pixels[2]);
        pixels += 3;
    }
    return result;
}

} // namespace

struct face_embedder::implementation {
    network_pool<recognition::network> pool;

    explicit implementation(const std::string& path) {
        try {
            dlib::deserialize(path) >> pool.original;
        } catch (const dlib::serialization_error& error) {
            throw std::invalid_argument(error.what());
        }
    }

    void embed(const std::uint8_t* chips, long count, float* embeddings) {
        auto network = pool.take();
        for (long i = 0; i < count; ++i) {
            const auto& embedding =
                (*network)(to_chip(chips + i * face_chip_size * face_chip_size * 3));
            std::copy(embedding.begin(), embedding.end(), embeddings + i * face_embedding_size);
        }
        pool.give_back(std::move(network));
    }
};

#else

struct face_embedder::implementation {
    recognition_layers net;

    explicit implementation(const std::string& path)
        : net(read_recognition_weights(path), face_chip_size) {}

    void embed(const std::uint8_t* chips, long count, float* embeddings) const {
        parallel_chunks(count, [&](long, long begin, long end) {
            constexpr long places = face_chip_size * face_chip_size;
            const long most = std::min(recognition_layers::group, end - begin);
            std::vector<float> images(static_cast<std::size_t>(most * places * image_channels));
            std::vector<std::uint8_t> gates(static_cast<std::size_t>(most * net.gates()));
            for (; begin < end; begin += most) {
                const long number = std::min(most, end - begin);
                for (long i = 0; i < number; ++i) {
                    const std::uint8_t* pixels = chips + (begin + i) * places * image_channels;
                    float* planes = images.data() + i * places * image_channels;
                    for (long p = 0; p < places; ++p)
                        for (long c = 0; c < image_channels; ++c)
                            planes[c * places + p] = static_cast<float>(*pixels++) * pixel_to_input;
                }
                net.forward(images.data(), number, {}, embeddings + begin * face_embedding_size,
                            gates.data());
            }
        });
    }
};

#endif

face_embedder::face_embedder(const std::string& path)
    : implementation_(std::make_unique<implementation>(path)) {}

face_embedder::~face_embedder() = default;

void face_embedder::embed(const std::uint8_t* chips, long count, float* embeddings) const {
    implementation_->embed(chips, count, embeddings);
}

} // namespace ffgan
