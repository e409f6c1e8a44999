// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/face_features.h"

#include "base/shapes.h"
#include "base/threads.h"
#include "pretrained/recognition_network.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace ffgan {
namespace {

// Of the features at each scale, for images of so many pixels.
std::vector<feature_shape> shapes_for(long side) {
    const long first = (side - 7) / 2 + 1, fine = (first - 3) / 2 + 1;
    return {{32, fine}, {64, fine / 2}, {128, fine / 4}};
}

// The recognition network on some of the images, with its activations.
struct copy {
    recognition::embedder net;
    dlib::resizable_tensor x;

    // Calls f with the network, as far up as it is wanted.
    template <typename F> void up_to(bool embeddings, F&& f) {
        if (embeddings)
            f(net);
        else
            f(recognition::find<recognition::coarse>(net));
    }

    // Calls f(scale, layer) with the layers that are read.
    template <typename F> void each_layer(F&& f) {
        f(0, recognition::find<recognition::fine>(net));
        f(1, recognition::find<recognition::middle>(net));
        f(2, recognition::find<recognition::coarse>(net));
    }
};

class face_features final : public feature_network {
  public:
    face_features(const std::string& recognition, long side)
        : side_(side), shapes_(shapes_for(side)) {
        recognition::network whole;
        try {
            dlib::deserialize(recognition) >> whole;
        } catch (const dlib::serialization_error& error) {
            throw std::invalid_argument(error.what());
        }
        auto first = std::make_unique<copy>();
        first->net = whole.subnet();
        dlib::set_all_learning_rate_multipliers(first->net, 0); // no gradients of its parameters
        copies_.push_back(std::move(first));
    }

    const std::vector<feature_shape>& shapes() const override { return shapes_; }
    long embedding_size() const override { return face_embedding_size; }

    void forward(const float* images, long count, const std::vector<float*>& targets,
                 float* embeddings) override {
        each_part(count, [&](copy& mine, long begin, long end) {
            // As the network's own input layer makes a tensor of pixels, which divides by 256 too.
            const auto& input = mine.net.input_layer();
            const std::array<float, image_channels> mean = {input.get_avg_red() * pixel_to_input,
                                                            input.get_avg_green() * pixel_to_input,
                                                            input.get_avg_blue() * pixel_to_input};
            mine.x.set_size(end - begin, image_channels, side_, side_);
            const float* source = images + begin * values();
            float* x = mine.x.host_write_only();
            for (long i = 0; i < (end - begin) * values(); ++i)
                x[i] = source[i] -
                       mean[static_cast<std::size_t>(i / (side_ * side_) % image_channels)];
            mine.up_to(embeddings != nullptr, [&](auto& net) { net.forward(mine.x); });
            mine.each_layer([&](std::size_t scale, const auto& layer) {
                const dlib::tensor& output = layer.get_output();
                std::copy_n(output.host(), output.size(),
                            targets[scale] + begin * shapes_[scale].size());
            });
            if (embeddings != nullptr) {
                const dlib::tensor& output = mine.net.get_output();
                std::copy_n(output.host(), output.size(), embeddings + begin * face_embedding_size);
            }
        });
    }

    void backward(const std::vector<const float*>& gradients, const float* of_embeddings,
                  long count, float* of_images) override {
        each_part(count, [&](copy& mine, long begin, long) {
            mine.each_layer([&](std::size_t scale, auto& layer) {
                dlib::tensor& gradient = layer.get_gradient_input(); // zeroed by dlib
                std::copy_n(gradients[scale] + begin * shapes_[scale].size(), gradient.size(),
                            gradient.host());
            });
            if (of_embeddings != nullptr) {
                dlib::tensor& gradient = mine.net.get_gradient_input();
                std::copy_n(of_embeddings + begin * face_embedding_size, gradient.size(),
                            gradient.host());
            }
            mine.up_to(of_embeddings != nullptr,
                       [&](auto& net) { net.back_propagate_error(mine.x); });
            const dlib::tensor& result = mine.net.get_final_data_gradient();
            std::copy_n(result.host(), result.size(), of_images + begin * values());
        });
    }

  private:
    long values() const { return image_channels * side_ * side_; } // of an image

    // Calls f(copy, begin, end) for a part of the images each, always the same for so many.
    template <typename F> void each_part(long count, F&& f) {
#ifdef DLIB_USE_CUDA
        f(*copies_.front(), 0, count); // there is one device, not many cores
#else
        while (static_cast<long>(copies_.size()) < std::min(count, threads()))
            copies_.push_back(std::make_unique<copy>(*copies_.front()));
        parallel_chunks(count, [&](long part, long begin, long end) {
            f(*copies_[static_cast<std::size_t>(part)], begin, end);
        });
#endif
    }

    const long side_;
    const std::vector<feature_shape> shapes_;
    std::vector<std::unique_ptr<copy>> copies_; // one for each thread
};

} // namespace

std::unique_ptr<feature_network> make_face_features(const std::string& recognition, long side) {
    return std::make_unique<face_features>(recognition, side);
}

} // namespace ffgan
