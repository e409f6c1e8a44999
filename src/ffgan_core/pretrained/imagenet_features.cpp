// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/imagenet_features.h"

#include "base/blas.h"
#include "base/shapes.h"
#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/channel_order.h"
#include "pretrained/cubic_enlargement.h"
#include "pretrained/inverted_residual.h"
#include "pretrained/pixel_patches.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace ffgan {
namespace {

using layers::pixel_filters;

constexpr long too_fine = 81;     // the side of features that are left out, those and larger ones
constexpr float largest_gate = 6; // ReLU6
constexpr long panel = 16;
// The network was trained on (pixel - 127) / 128.
constexpr float input_factor = 1 / (128 * pixel_to_input), input_offset = -127.0f / 128.0f;

// ---- What the network is given by ---------------------------------------------------------------

std::invalid_argument other_shape(const std::string& name) {
    return std::invalid_argument("'" + name + ".weight' of the ImageNet network has another shape");
}

const named_tensor& find(const named_tensors& weights, const std::string& name, long inputs) {
    const auto found = weights.find(name + ".weight");
    if (found == weights.end())
        throw std::invalid_argument("the ImageNet network lacks '" + name + ".weight'");
    const std::vector<long>& shape = found->second.shape;
    if (shape.size() != 4 || shape[0] < 1 || shape[1] != inputs || shape[2] != shape[3] ||
        shape[2] < 1 || shape[2] > 7)
        throw other_shape(name);
    return found->second;
}

std::vector<float> find_bias(const named_tensors& weights, const std::string& name, long filters) {
    const auto found = weights.find(name + ".bias");
    if (found == weights.end() || found->second.shape != std::vector<long>{filters})
        throw std::invalid_argument("the ImageNet network lacks '" + name +
                                    ".bias', or it has another shape");
    return found->second.values;
}

// With kernels of any of these sizes.
given_convolution find_convolution(const named_tensors& weights, const std::string& name,
                                   long inputs, std::initializer_list<long> kernels) {
    const named_tensor& filters = find(weights, name, inputs);
    if (std::find(kernels.begin(), kernels.end(), filters.shape[2]) == kernels.end())
        throw other_shape(name);
    return {filters.values, find_bias(weights, name, filters.shape[0])};
}

// Of the images that it sees.
long find_side(const named_tensors& weights) {
    const auto found = weights.find("side");
    if (found == weights.end())
        return image_size;
    const long side =
        found->second.values.size() == 1 ? static_cast<long>(found->second.values[0]) : 0;
    if (side < image_size || side > 4 * image_size)
        throw std::invalid_argument("the side of the ImageNet network's images is not 162 to 648");
    return side;
}

// ---- The network --------------------------------------------------------------------------------

pixel_patches patches_of(const window& stem) {
    return {stem.kernel, stem.stride, stem.before, stem.in_side, stem.side};
}

class imagenet_features final : public feature_network {
  public:
    explicit imagenet_features(const named_tensors& weights)
        : enlargement_(image_size, find_side(weights)),
          stem_(
              patches_of({find(weights, "stem", image_channels).shape[2], 2, enlargement_.to()})) {
        const given_convolution stem =
            find_convolution(weights, "stem", image_channels, {1, 3, 5, 7});
        const auto strides = weights.find("strides");
        if (strides == weights.end() || strides->second.values.empty())
            throw std::invalid_argument("the ImageNet network lacks 'strides'");
        long side = stem_.side(), channels = static_cast<long>(stem.bias.size());
        for (const float stride : strides->second.values) {
            if (stride != 1 && stride != 2)
                throw std::invalid_argument("a stride of the ImageNet network is not 1 or 2");
            const bool first = blocks_.empty();
            const std::string name = "block" + std::to_string(blocks_.size());
            if (stride == 2)
                end_of_size(channels, side);
            // The stem takes the place of the first block's expansion.
            const long inputs = first ? stem_.taps() : channels;
            const given_convolution expand =
                first ? given_convolution{stem_.in_this_order(stem.filters), stem.bias}
                      : find_convolution(weights, name + ".expand", channels, {1});
            const long middle = static_cast<long>(expand.bias.size());
            const named_tensor& kernels = find(weights, name + ".depthwise", 1);
            if (kernels.shape[0] != middle)
                throw other_shape(name + ".depthwise");
            const given_convolution depthwise =
                find_convolution(weights, name + ".depthwise", 1, {3, 5});
            const given_convolution project =
                find_convolution(weights, name + ".project", middle, {1});
            const long outputs = static_cast<long>(project.bias.size());
            const window shape(kernels.shape[2], static_cast<long>(stride), side);
            blocks_.push_back({std::make_unique<const inverted_residual>(
                shape, inputs, expand, depthwise, project,
                !first && stride == 1 && outputs == channels)});
            channels = outputs;
            side = shape.side;
        }
        end_of_size(channels, side);
        if (shapes_.empty())
            throw std::invalid_argument("the ImageNet network makes no features of 41x41 or less");

        const given_convolution head = find_convolution(weights, "head", channels, {1});
        head_filters_ = head.filters;
        head_bias_ = head.bias;
        last_places_ = side * side;

        for (const block& b : blocks_) {
            largest_ = std::max(largest_, pixel_size(*b.layers) * b.layers->shape().places());
            gates_ += b.layers->expanded_gates() + b.layers->middle_gates();
        }
    }

    const std::vector<feature_shape>& shapes() const override { return shapes_; }
    // What the network's classifier sees: the means of its last layer.
    long embedding_size() const override { return static_cast<long>(head_bias_.size()); }

    void forward(const float* images, long count, const std::vector<float*>& targets,
                 float* embeddings) override {
        open_.resize(ffgan::count(count * gates_));
        open_head_.resize(embeddings ? ffgan::count(count * head_size()) : 0);
        parallel_chunks(count, [&](long, long begin, long end) {
            for (; begin < end; ++begin)
                forward_one(images + begin * image_values, begin, targets, embeddings);
        });
    }

    void backward(const std::vector<const float*>& gradients, const float* of_embeddings,
                  long count, float* of_images) override {
        parallel_chunks(count, [&](long, long begin, long end) {
            for (; begin < end; ++begin)
                backward_one(gradients, of_embeddings, begin, of_images + begin * image_values);
        });
    }

  private:
    struct block {
        std::unique_ptr<const inverted_residual> layers;
        long scale = -1; // whose features it puts out
    };
    struct scratch {
        workspace pixels, unfolded, one, other;
        inverted_residual::memory between;
    };

    static scratch& own_scratch() {
        static thread_local scratch memory;
        return memory;
    }

    static long pixel_size(const inverted_residual& layers) {
        return rounded_up(layers.outputs(), panel);
    }

    void end_of_size(long channels, long side) {
        if (blocks_.empty() || side >= too_fine)
            return;
        blocks_.back().scale = static_cast<long>(shapes_.size());
        shapes_.push_back({channels, side});
    }

    // Calls f(block, its gates) for the blocks of an image.
    template <class F> void each_block(long image, const F& f) {
        std::uint8_t* open = open_.data() + image * gates_;
        for (const block& one : blocks_) {
            std::uint8_t* middle = open + one.layers->expanded_gates();
            f(one, inverted_residual::gates{open, middle});
            open = middle + one.layers->middle_gates();
        }
    }

    long head_size() const { return last_places_ * embedding_size(); }

    // x: what the last block puts out.
    void embed(const float* x, long number, workspace& room, float* embedding) {
        const inverted_residual& last = *blocks_.back().layers;
        const long size = embedding_size();
        float* values = room.get(ffgan::count(head_size()));
        sgemm(false, true, last_places_, size, last.outputs(), 1, x, pixel_size(last),
              head_filters_.data(), last.outputs(), 0, values, size);
        std::uint8_t* open = open_head_.data() + number * head_size();
        std::fill_n(embedding, size, 0.0f);
        const float share = 1 / static_cast<float>(last_places_);
        for (long place = 0; place < last_places_; ++place, values += size, open += size)
            for (long i = 0; i < size; ++i) {
                const float value = values[i] + head_bias_[ffgan::count(i)];
                open[i] = value > 0 && value < largest_gate;
                embedding[i] += share * std::clamp(value, 0.0f, largest_gate);
            }
    }

    // Adds the gradient with respect to the last block's output.
    void embed_adjoint(const float* of_embedding, long number, workspace& room, float* x) const {
        const inverted_residual& last = *blocks_.back().layers;
        const long size = embedding_size();
        float* values = room.get(ffgan::count(head_size()));
        const std::uint8_t* open = open_head_.data() + number * head_size();
        const float share = 1 / static_cast<float>(last_places_);
        for (long place = 0; place < last_places_; ++place, open += size)
            for (long i = 0; i < size; ++i)
                values[place * size + i] = open[i] ? share * of_embedding[i] : 0;
        sgemm(false, false, last_places_, last.outputs(), size, 1, values, size,
              head_filters_.data(), last.outputs(), 1, x, pixel_size(last));
    }

    void forward_one(const float* image, long number, const std::vector<float*>& targets,
                     float* embeddings) {
        scratch& memory = own_scratch();
        float* pixels = memory.pixels.get(ffgan::count(stem_.size()));
        float* x = memory.one.get(ffgan::count(largest_));
        float* y = memory.other.get(ffgan::count(largest_));
        const long side = enlargement_.to();
        float* planes = memory.unfolded.get(ffgan::count(image_channels * side * side));
        for (long c = 0; c < image_channels; ++c)
            enlargement_.apply(image + c * image_size * image_size, planes + c * side * side);
        stem_.take(planes, input_factor, {input_offset, input_offset, input_offset}, pixels);
        each_block(number, [&](const block& b, const inverted_residual::gates& open) {
            const inverted_residual& layers = *b.layers;
            const long places = layers.shape().places(), channels = layers.outputs();
            if (&b == &blocks_.front()) {
                const auto unfold = [&](long first, long last) {
                    float* rows = memory.unfolded.get(
                        ffgan::count((last - first) * stem_.side() * stem_.taps()));
                    stem_.unfold(pixels, first, last, rows);
                    return rows;
                };
                layers.forward(unfold, stem_.taps(), open, x, memory.between);
            } else {
                const long pixel = rounded_up(layers.inputs(), panel);
                const long row = layers.shape().in_side * pixel;
                layers.forward([&](long first, long) { return x + first * row; }, pixel, open,
                               layers.is_residual() ? x : y, memory.between);
                if (!layers.is_residual())
                    std::swap(x, y);
            }
            if (b.scale >= 0)
                layers::channels_last_to_planes(
                    x, pixel_size(layers), channels, places, false,
                    targets[ffgan::count(b.scale)] + number * channels * places, places);
        });
        if (embeddings != nullptr)
            embed(x, number, memory.unfolded, embeddings + number * embedding_size());
    }

    // Adds the gradient with respect to a block's features to that with respect to its output.
    static void add_features(const inverted_residual& layers, const float* gradient, float* x,
                             workspace& room) {
        const long places = layers.shape().places(), size = places * pixel_size(layers);
        float* own = room.get(ffgan::count(size));
        std::fill_n(own, size, 0.0f);
        layers::planes_to_channels_last(gradient, places, layers.outputs(), places, own,
                                        pixel_size(layers));
        for (long k = 0; k < size; ++k)
            x[k] += own[k];
    }

    void backward_one(const std::vector<const float*>& gradients, const float* of_embeddings,
                      long number, float* of_image) {
        scratch& memory = own_scratch();
        float* pixels = memory.pixels.get(ffgan::count(stem_.size()));
        float* x = memory.one.get(ffgan::count(largest_)); // of a block's output
        float* y = memory.other.get(ffgan::count(largest_));
        std::fill_n(x, largest_, 0.0f);
        std::fill_n(pixels, stem_.size(), 0.0f);
        if (of_embeddings != nullptr)
            embed_adjoint(of_embeddings + number * embedding_size(), number, memory.unfolded, x);
        std::vector<inverted_residual::gates> gates;
        each_block(number, [&](const block&, const inverted_residual::gates& open) {
            gates.push_back(open);
        });
        for (std::size_t b = blocks_.size(); b-- > 0;) {
            const inverted_residual& layers = *blocks_[b].layers;
            const pixel_filters& filters = layers.expansion_adjoint();
            const long in_side = layers.shape().in_side, pixel = filters.outputs_written();
            if (blocks_[b].scale >= 0) {
                const std::size_t scale = ffgan::count(blocks_[b].scale);
                add_features(layers, gradients[scale] + number * shapes_[scale].size(), x,
                             memory.unfolded);
            }
            float* out = layers.is_residual() ? x : y;
            const auto through_expansion = [&](long first, long last, const float* values) {
                layers::multiply_pixels(filters, nullptr, layers.is_residual(),
                                        {(last - first) * in_side, values, layers.channels(),
                                         out + first * in_side * pixel, pixel});
            };
            const auto through_stem = [&](long first, long last, const float* values) {
                float* rows = memory.unfolded.get(ffgan::count((last - first) * in_side * pixel));
                layers::multiply_pixels(
                    filters, nullptr, false,
                    {(last - first) * in_side, values, layers.channels(), rows, pixel});
                stem_.fold(rows, pixel, first, last, pixels);
            };
            if (b > 0)
                layers.backward(x, gates[b], through_expansion, memory.between);
            else
                layers.backward(x, gates[b], through_stem, memory.between);
            if (!layers.is_residual())
                std::swap(x, y);
        }
        const long side = enlargement_.to();
        float* planes = memory.unfolded.get(ffgan::count(image_channels * side * side));
        stem_.give(pixels, input_factor, planes);
        for (long c = 0; c < image_channels; ++c)
            enlargement_.adjoint(planes + c * side * side, of_image + c * image_size * image_size);
    }

    const cubic_enlargement enlargement_;
    const pixel_patches stem_;
    std::vector<block> blocks_;
    std::vector<feature_shape> shapes_;
    long largest_ = 0;               // floats between two blocks
    long gates_ = 0;                 // bytes of an image
    std::vector<std::uint8_t> open_; // the gates of each image
    std::vector<float> head_filters_, head_bias_;
    long last_places_ = 0;
    std::vector<std::uint8_t> open_head_; // the gates of the embedding
};

} // namespace

std::unique_ptr<feature_network> make_imagenet_features(const named_tensors& weights) {
    return std::make_unique<imagenet_features>(weights);
}

} // namespace ffgan
