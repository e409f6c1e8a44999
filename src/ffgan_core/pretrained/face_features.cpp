// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/face_features.h"

#include "base/shapes.h"
#include "base/threads.h"
#include "pretrained/device_face_features.h"
#include "pretrained/face_embedding.h"
#include "pretrained/recognition_layers.h"

#include <algorithm>
#include <cstdint>

namespace ffgan {
#ifndef DLIB_USE_CUDA
namespace {

class face_features final : public feature_network {
  public:
    face_features(const std::string& recognition, long side)
        : side_(side), net_(read_recognition_weights(recognition), side) {}

    const std::vector<feature_shape>& shapes() const override { return net_.shapes(); }
    long embedding_size() const override { return face_embedding_size; }

    void forward(const float* images, long count, const std::vector<float*>& targets,
                 float* embeddings) override {
        gates_.resize(static_cast<std::size_t>(count * net_.gates()));
        each_group(count, [&](long first, long number) {
            net_.forward(images + first * values(), number, from(targets, first),
                         embeddings ? embeddings + first * face_embedding_size : nullptr,
                         gates_.data() + first * net_.gates());
        });
    }

    void backward(const std::vector<const float*>& gradients, const float* of_embeddings,
                  long count, float* of_images) override {
        each_group(count, [&](long first, long number) {
            net_.backward(from(gradients, first),
                          of_embeddings ? of_embeddings + first * face_embedding_size : nullptr,
                          number, gates_.data() + first * net_.gates(),
                          of_images + first * values());
        });
    }

  private:
    long values() const { return image_channels * side_ * side_; } // of an image

    // Where the features of image `first` are.
    template <typename pointer>
    std::vector<pointer> from(std::vector<pointer> scales, long first) const {
        for (std::size_t s = 0; s < scales.size(); ++s)
            scales[s] += first * shapes()[s].size();
        return scales;
    }

    // Calls f(first, number) for images that a thread computes together, the same ones each time.
    template <typename F> static void each_group(long count, F&& f) {
        parallel_chunks(count, [&](long, long begin, long end) {
            for (; begin < end; begin += recognition_layers::group)
                f(begin, std::min(recognition_layers::group, end - begin));
        });
    }

    const long side_;
    const recognition_layers net_;
    std::vector<std::uint8_t> gates_;
};

} // namespace
#endif

std::unique_ptr<feature_network> make_face_features(const std::string& recognition, long side) {
#ifdef DLIB_USE_CUDA
    return make_device_face_features(recognition, side);
#else
    return std::make_unique<face_features>(recognition, side);
#endif
}

} // namespace ffgan
