// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/face_classifier.h"

#include "base/shapes.h"
#include "base/sizes.h"
#include "kernels/pixel_kernels.h"
#include "pretrained/convolution_graph.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

namespace ffgan {
namespace {

using image = convolution_graph::image;

// dlib's input layer subtracts the mean and divides by 256.
constexpr std::array<float, 3> mean_rgb = {122.782f, 117.001f, 104.298f};

// Adds layers with the file's tensors to a graph.
class reader {
  public:
    reader(std::string network, const named_tensors& weights, convolution_graph& graph)
        : network_(std::move(network)), weights_(weights), graph_(graph) {}

    // dlib's layer `number`, and the affine layer behind it, number - 1, which becomes part of it.
    image convolution(image in, long number, long filters, long kernel, long stride, long padding,
                      bool relu) const {
        const std::vector<long> channels{1, filters, 1, 1};
        const long taps = graph_.channels(in) * kernel * kernel;
        std::vector<float> values =
            find(number, "weights", {filters, graph_.channels(in), kernel, kernel});
        std::vector<float> bias = find(number, "bias", {filters});
        const std::vector<float>& scale = find(number - 1, "scale", channels);
        const std::vector<float>& offset = find(number - 1, "offset", channels);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] *= scale[i / count(taps)];
        for (std::size_t i = 0; i < bias.size(); ++i)
            bias[i] = bias[i] * scale[i] + offset[i];
        return graph_.convolution(in, kernel, stride, padding, values, bias, relu);
    }

    // Two convolutions, the branch beside dlib's residual connection.
    image branch(image in, long first, long second, long filters, long stride) const {
        const image middle = convolution(in, first, filters, 3, stride, stride == 1 ? 1 : 0, true);
        return convolution(middle, second, filters, 3, 1, 1, false);
    }

    // A fully connected layer, which sees its input times a factor: a convolution with as large a
    // kernel as the image.
    image fully_connected(image in, long number, long outputs, float factor, bool relu) const {
        const long kernel = graph_.side(in), inputs = graph_.channels(in) * kernel * kernel;
        const std::vector<float>& given = find(number, "weights", {inputs, outputs});
        std::vector<float> filters(given.size());
        for (long i = 0; i < inputs; ++i)
            for (long o = 0; o < outputs; ++o)
                filters[count(o * inputs + i)] = given[count(i * outputs + o)] * factor;
        return graph_.convolution(in, kernel, 1, 0, filters, find(number, "bias", {outputs}), relu);
    }

    float scalar(long number) const { return find(number, "scalar", {1})[0]; }

  private:
    const std::vector<float>& find(long number, const char* part,
                                   const std::vector<long>& shape) const {
        const std::string name = "layer_" + std::to_string(number) + "_" + part;
        const auto found = weights_.find(name);
        if (found == weights_.end())
            throw std::invalid_argument("the " + network_ + " network lacks '" + name + "'");
        if (found->second.shape != shape)
            throw std::invalid_argument("'" + name + "' of the " + network_ +
                                        " network has another shape");
        return found->second.values;
    }

    const std::string network_;
    const named_tensors& weights_;
    convolution_graph& graph_;
};

// A residual network (He et al. 2016) of ten convolutions. Numbers are those of dlib's layers,
// which it counts from the output.
std::unique_ptr<convolution_graph> make_age_network(const named_tensors& weights) {
    auto graph = std::make_unique<convolution_graph>(64, image_channels);
    const reader read("age", weights, *graph);
    image x = read.convolution(0, 52, 64, 7, 2, 0, true);
    x = graph->max_pool(x, 3, 2);
    x = graph->residual(x, read.branch(x, 47, 44, 64, 1));
    x = graph->residual_down(x, read.branch(x, 39, 36, 128, 2));
    x = graph->residual(x, read.branch(x, 28, 25, 128, 1));
    x = graph->residual_down(x, read.branch(x, 20, 17, 256, 2));
    x = graph->residual(x, read.branch(x, 9, 6, 256, 1));
    x = graph->average_pool(x, graph->side(x), 1);
    read.fully_connected(x, 1, 81, 1.0f, false);
    return graph;
}

std::unique_ptr<convolution_graph> make_gender_network(const named_tensors& weights) {
    auto graph = std::make_unique<convolution_graph>(32, image_channels);
    const reader read("gender", weights, *graph);
    image x = read.convolution(0, 19, 32, 3, 1, 1, true);
    x = read.convolution(x, 16, 32, 3, 1, 1, true);
    x = graph->average_pool(x, 2, 2);
    x = read.convolution(x, 12, 64, 3, 1, 1, true);
    x = read.convolution(x, 9, 64, 3, 1, 1, true);
    x = graph->average_pool(x, 2, 2);
    x = read.fully_connected(x, 4, 16, read.scalar(5), true);
    read.fully_connected(x, 1, 2, read.scalar(2), false);
    return graph;
}

std::unique_ptr<convolution_graph> make_network(const std::string& name,
                                                const named_tensors& weights) {
    if (name == "age")
        return make_age_network(weights);
    if (name == "gender")
        return make_gender_network(weights);
    throw std::invalid_argument("there is no network '" + name + "': choose age or gender");
}

} // namespace

struct face_classifier::implementation {
    std::unique_ptr<convolution_graph> graph;
    long side, classes;
};

face_classifier::face_classifier(const std::string& network, const named_tensors& weights)
    : implementation_(std::make_unique<implementation>()) {
    implementation_->graph = make_network(network, weights);
    implementation_->side = implementation_->graph->side(0);
    implementation_->classes = network == "age" ? 81 : 2;
}

face_classifier::~face_classifier() = default;

long face_classifier::side() const { return implementation_->side; }
long face_classifier::classes() const { return implementation_->classes; }

void face_classifier::probabilities(const std::uint8_t* chips, long count,
                                    float* probabilities) const {
    const long row_values = side() * image_channels;
    implementation_->graph->run(
        count,
        [&](long i, const layers::image_view& input) {
            const std::uint8_t* pixels = chips + i * side() * row_values;
            for (long row = 0; row < side(); ++row, pixels += row_values) {
                float* target = input.at(row, 0);
                for (long k = 0; k < row_values; ++k)
                    target[k] = (static_cast<float>(pixels[k]) - mean_rgb[ffgan::count(k) % 3]) *
                                pixel_to_input;
            }
        },
        [&](long i, const layers::image_view& logits) {
            softmax(classes(), logits.at(0, 0), probabilities + i * classes());
        });
}

} // namespace ffgan
