// SPDX-License-Identifier: GPL-3.0-or-later
#include "face_embedding.h"
#include "layers/convolution.h"
#include "threads.h"

#include <dlib/dnn.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace ffgan {
namespace {

// The network reads from its output (first line) down to its input (last line). In inference its
// batch norms are affine layers.

template <long filters, long kernel, int stride, typename subnet>
using conv =
    dlib::add_layer<layers::convolution<filters, kernel, stride, stride == 1 ? kernel / 2 : 0>,
                    subnet>;

// clang-format off

template <long filters, int stride, typename subnet>
using block =
    dlib::affine<conv<filters, 3, 1,
    dlib::relu<dlib::affine<conv<filters, 3, stride,
    subnet>>>>>;

template <long filters, typename subnet>
using residual = dlib::relu<dlib::add_prev1<block<filters, 1, dlib::tag1<subnet>>>>;

template <long filters, typename subnet>
using residual_down =
    dlib::relu<dlib::add_prev2<dlib::avg_pool<2, 2, 2, 2, dlib::skip1<dlib::tag2<
    block<filters, 2, dlib::tag1<subnet>>>>>>>;

template <typename subnet> using level0 = residual_down<256, subnet>;
template <typename subnet>
using level1 = residual<256, residual<256, residual_down<256, subnet>>>;
template <typename subnet>
using level2 = residual<128, residual<128, residual_down<128, subnet>>>;
template <typename subnet>
using level3 = residual<64, residual<64, residual<64, residual_down<64, subnet>>>>;
template <typename subnet> using level4 = residual<32, residual<32, residual<32, subnet>>>;

using recognition_network =
    dlib::loss_metric<dlib::fc_no_bias<face_embedding_size,
    dlib::avg_pool_everything<
    level0<
    level1<
    level2<
    level3<
    level4<
    dlib::max_pool<3, 3, 2, 2,
    dlib::relu<dlib::affine<conv<32, 7, 2,
    dlib::input_rgb_image_sized<face_chip_size>>>>>>>>>>>>>;

// clang-format on

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

// A network holds its activations, so each thread that computes takes one of its own from here.
struct face_embedder::implementation {
    recognition_network original;
    std::mutex mutex;
    std::vector<std::unique_ptr<recognition_network>> idle;

    std::unique_ptr<recognition_network> take() {
        {
            const std::lock_guard<std::mutex> lock(mutex);
            if (!idle.empty()) {
                auto network = std::move(idle.back());
                idle.pop_back();
                return network;
            }
        }
        return std::make_unique<recognition_network>(original);
    }

    void give_back(std::unique_ptr<recognition_network> network) {
        const std::lock_guard<std::mutex> lock(mutex);
        idle.push_back(std::move(network));
    }

    void embed(const std::uint8_t* chips, long begin, long end, float* embeddings) {
        auto network = take();
        for (long i = begin; i < end; ++i) {
            // One at a time: the activations of one image stay in the processor's cache.
            const auto& embedding =
                (*network)(to_chip(chips + i * face_chip_size * face_chip_size * 3));
            std::copy(embedding.begin(), embedding.end(), embeddings + i * face_embedding_size);
        }
        give_back(std::move(network));
    }
};

face_embedder::face_embedder(const std::string& path)
    : implementation_(std::make_unique<implementation>()) {
    try {
        dlib::deserialize(path) >> implementation_->original;
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
