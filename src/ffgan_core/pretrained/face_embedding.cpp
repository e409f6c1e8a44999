// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/face_embedding.h"
#include "base/network_pool.h"
#include "base/threads.h"
#include "pretrained/recognition_network.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ffgan {
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

    void embed(const std::uint8_t* chips, long begin, long end, float* embeddings) {
        auto network = pool.take();
        for (long i = begin; i < end; ++i) {
            // One at a time: the activations of one image stay in the processor's cache.
            const auto& embedding =
                (*network)(to_chip(chips + i * face_chip_size * face_chip_size * 3));
            std::copy(embedding.begin(), embedding.end(), embeddings + i * face_embedding_size);
        }
        pool.give_back(std::move(network));
    }
};

face_embedder::face_embedder(const std::string& path)
    : implementation_(std::make_unique<implementation>()) {
    try {
        dlib::deserialize(path) >> implementation_->pool.original;
    } catch (const dlib::serialization_error& error) {
        throw std::invalid_argument(error.what());
    }
}

face_embedder::~face_embedder() = default;

void face_embedder::embed(const std::uint8_t* chips, long count, float* embeddings) const {
#ifdef DLIB_USE_CUDA
    implementation_->embed(chips, 0, count, embeddings); // there is one device, not many cores
#else
    parallel_chunks(count, [&](long, long begin, long end) {
        implementation_->embed(chips, begin, end, embeddings);
    });
#endif
}

} // namespace ffgan
