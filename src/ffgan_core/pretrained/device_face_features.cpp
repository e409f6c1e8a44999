// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/device_face_features.h"

#ifdef DLIB_USE_CUDA

#include "base/shapes.h"
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

class device_face_features final : public feature_network {
  public:
    device_face_features(const std::string& recognition, long side)
        : side_(side), shapes_(shapes_for(side)) {
        recognition::network whole;
        try {
            dlib::deserialize(recognition) >> whole;
        } catch (const dlib::serialization_error& error) {
            throw std::invalid_argument(error.what());
        }
        net_ = whole.subnet();
        dlib::set_all_learning_rate_multipliers(net_, 0); // no gradients of its parameters
    }

    const std::vector<feature_shape>& shapes() const override { return shapes_; }
    long embedding_size() const override { return face_embedding_size; }

    void forward(const float* images, long count, const std::vector<float*>& targets,
                 float* embeddings) override {
        // As the network's own input layer makes a tensor of pixels, which divides by 256 too.
        const auto& input = net_.input_layer();
        const std::array<float, image_channels> mean = {input.get_avg_red() * pixel_to_input,
                                                        input.get_avg_green() * pixel_to_input,
                                                        input.get_avg_blue() * pixel_to_input};
        x_.set_size(count, image_channels, side_, side_);
        float* x = x_.host_write_only();
        for (long i = 0; i < static_cast<long>(x_.size()); ++i)
            x[i] = images[i] - mean[static_cast<std::size_t>(i / (side_ * side_) % image_channels)];
        up_to(embeddings != nullptr, [&](auto& net) { net.forward(x_); });
        each_layer([&](std::size_t scale, const auto& layer) {
            const dlib::tensor& output = layer.get_output();
            std::copy_n(output.host(), output.size(), targets[scale]);
        });
        if (embeddings != nullptr) {
            const dlib::tensor& output = net_.get_output();
            std::copy_n(output.host(), output.size(), embeddings);
        }
    }

    void backward(const std::vector<const float*>& gradients, const float* of_embeddings, long,
                  float* of_images) override {
        each_layer([&](std::size_t scale, auto& layer) {
            dlib::tensor& gradient = layer.get_gradient_input(); // zeroed by dlib
            std::copy_n(gradients[scale], gradient.size(), gradient.host());
        });
        if (of_embeddings != nullptr) {
            dlib::tensor& gradient = net_.get_gradient_input();
            std::copy_n(of_embeddings, gradient.size(), gradient.host());
        }
        up_to(of_embeddings != nullptr, [&](auto& net) { net.back_propagate_error(x_); });
        const dlib::tensor& result = net_.get_final_data_gradient();
        std::copy_n(result.host(), result.size(), of_images);
    }

  private:
    // Calls f with the network, as far up as it is wanted.
    template <typename F> void up_to(bool embeddings, F&& f) {
        if (embeddings)
            f(net_);
        else
            f(recognition::find<recognition::coarse>(net_));
    }

    // Calls f(scale, layer) with the layers that are read.
    template <typename F> void each_layer(F&& f) {
        f(0, recognition::find<recognition::fine>(net_));
        f(1, recognition::find<recognition::middle>(net_));
        f(2, recognition::find<recognition::coarse>(net_));
    }

    const long side_;
    const std::vector<feature_shape> shapes_;
    recognition::embedder net_;
    dlib::resizable_tensor x_;
};

} // namespace

std::unique_ptr<feature_network> make_device_face_features(const std::string& recognition,
                                                           long side) {
    return std::make_unique<device_face_features>(recognition, side);
}

} // namespace ffgan

#endif
