// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/recognition_weights.h"

#include "pretrained/recognition_network.h"

#include <algorithm>
#include <stdexcept>

namespace ffgan {
namespace {

// Called for each layer, from the output to the input: an affine layer, then its convolution.
struct collector {
    recognition_weights& result; // dlib copies what visits
    std::vector<float> scale, shift;

    template <typename layer> void operator()(layer& details) {
        if constexpr (std::is_same_v<layer, dlib::affine_>) {
            const auto gamma = details.get_gamma(), beta = details.get_beta();
            scale.assign(gamma.begin(), gamma.end());
            shift.assign(beta.begin(), beta.end());
        } else if constexpr (recognition::is_fully_connected<layer>::value) {
            const dlib::tensor& values = details.get_layer_params();
            result.embedding.assign(values.begin(), values.end());
        } else if constexpr (recognition::is_convolution<layer>::value) {
            const dlib::tensor& values = details.get_layer_params();
            const std::size_t filters = scale.size();
            const std::size_t biases = details.bias_is_disabled() ? 0 : filters;
            const std::size_t size = (values.size() - biases) / filters;
            given_convolution folded;
            for (std::size_t i = 0; i < filters * size; ++i)
                folded.filters.push_back(values.host()[i] * scale[i / size]);
            for (std::size_t f = 0; f < filters; ++f)
                folded.bias.push_back(
                    shift[f] + (biases > 0 ? values.host()[filters * size + f] * scale[f] : 0.0f));
            result.convolutions.push_back(std::move(folded));
        }
    }
};

} // namespace

recognition_weights read_recognition_weights(const std::string& path) {
    recognition::network whole;
    try {
        dlib::deserialize(path) >> whole;
    } catch (const dlib::serialization_error& error) {
        throw std::invalid_argument(error.what());
    }
    recognition_weights result;
    dlib::visit_computational_layers(whole.subnet(), collector{result, {}, {}});
    std::reverse(result.convolutions.begin(), result.convolutions.end());
    const auto& input = whole.subnet().input_layer();
    result.mean_rgb = {input.get_avg_red(), input.get_avg_green(), input.get_avg_blue()};
    return result;
}

} // namespace ffgan
