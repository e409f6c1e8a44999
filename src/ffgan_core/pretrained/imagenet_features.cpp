// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/imagenet_features.h"

#include "base/blas.h"
#include "base/shapes.h"
#include "base/threads.h"
#include "base/workspace.h"
#include "kernels/depthwise_kernels.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace ffgan {
namespace {

constexpr long too_fine = 81; // the side of features that are left out, those and larger ones
// The network was trained on (pixel - 127) / 128.
constexpr float input_factor = 1 / (128 * pixel_to_input), input_offset = -127.0f / 128.0f;

std::size_t as_size(long n) { return static_cast<std::size_t>(n); }

// ---- Layers, on one image, on the calling thread ------------------------------------------------

void add_bias(const std::vector<float>& bias, long places, float* x) {
    for (const float b : bias) {
        for (long i = 0; i < places; ++i)
            x[i] += b;
        x += places;
    }
}

// The convolution by 1x1 kernels, its filters (outputs, inputs).
struct pointwise {
    long inputs = 0, outputs = 0;
    std::vector<float> filters, bias;

    void forward(const float* x, long places, float* y) const {
        sgemm(false, false, outputs, places, inputs, 1, filters.data(), inputs, x, places, 0, y,
              places);
    }
    void backward(const float* of_y, long places, float* of_x) const {
        sgemm(true, false, inputs, places, outputs, 1, filters.data(), inputs, of_y, places, 0,
              of_x, places);
    }
};

// The first layer: few channels, so it is unfolded.
struct stem_convolution {
    depthwise_shape shape{1, 1, 1};
    pointwise filters; // over channels x kernel x kernel

    // Calls f(row of the unfolded image, place, place in the image) for what is not padding.
    template <typename F> void each(F&& f) const {
        const long k = shape.kernel, plane = shape.in_side * shape.in_side;
        for (long tap = 0; tap < image_channels * k * k; ++tap)
            for (long r = 0; r < shape.side; ++r) {
                const long row = r * shape.stride + tap / k % k - shape.before;
                if (row < 0 || row >= shape.in_side)
                    continue;
                const long base = tap / (k * k) * plane + row * shape.in_side;
                for (long c = 0; c < shape.side; ++c) {
                    const long column = c * shape.stride + tap % k - shape.before;
                    if (column >= 0 && column < shape.in_side)
                        f(tap, r * shape.side + c, base + column);
                }
            }
    }
};

struct depthwise {
    depthwise_shape shape{1, 1, 1};
    std::vector<float> kernels, bias; // channels x kernel x kernel, which is 3 or 5

    long channels() const { return static_cast<long>(bias.size()); }
};

// An inverted residual (Sandler et al. 2018).
struct block {
    bool expands = false, residual = false;
    pointwise expand, project;
    depthwise middle;
    long scale = -1; // whose features it puts out

    long in_places() const { return middle.shape.in_side * middle.shape.in_side; }
    long places() const { return middle.shape.side * middle.shape.side; }
    // Where its ReLUs pass a gradient on: after the expansion, then after the depthwise one.
    long expanded() const { return expands ? middle.channels() * in_places() : 0; }
    long passes() const { return expanded() + middle.channels() * places(); }
};

// ---- The network --------------------------------------------------------------------------------

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

pointwise make_pointwise(const named_tensors& weights, const std::string& name, long inputs) {
    const named_tensor& filters = find(weights, name, inputs);
    if (filters.shape[2] != 1)
        throw other_shape(name);
    return {inputs, filters.shape[0], filters.values, find_bias(weights, name, filters.shape[0])};
}

class imagenet_features final : public feature_network {
  public:
    explicit imagenet_features(const named_tensors& weights) {
        const named_tensor& stem = find(weights, "stem", image_channels);
        const long k = stem.shape[2];
        long channels = stem.shape[0];
        stem_.shape = depthwise_shape(k, 2, image_size);
        stem_.filters = {image_channels * k * k, channels, stem.values,
                         find_bias(weights, "stem", channels)};
        const auto strides = weights.find("strides");
        if (strides == weights.end() || strides->second.values.empty())
            throw std::invalid_argument("the ImageNet network lacks 'strides'");
        long side = stem_.shape.side;
        for (const float stride : strides->second.values) {
            if (stride != 1 && stride != 2)
                throw std::invalid_argument("a stride of the ImageNet network is not 1 or 2");
            const std::string name = "block" + std::to_string(blocks_.size());
            if (stride == 2)
                end_of_size(channels, side);
            block next;
            next.expands = weights.count(name + ".expand.weight") > 0;
            const long before = channels;
            if (next.expands) {
                next.expand = make_pointwise(weights, name + ".expand", channels);
                channels = next.expand.outputs;
            }
            const named_tensor& kernels = find(weights, name + ".depthwise", 1);
            if (kernels.shape[0] != channels || (kernels.shape[2] != 3 && kernels.shape[2] != 5))
                throw other_shape(name + ".depthwise");
            next.middle.shape = depthwise_shape(kernels.shape[2], static_cast<long>(stride), side);
            next.middle.kernels = kernels.values;
            next.middle.bias = find_bias(weights, name + ".depthwise", channels);
            next.project = make_pointwise(weights, name + ".project", channels);
            channels = next.project.outputs;
            next.residual = stride == 1 && channels == before;
            side = next.middle.shape.side;
            blocks_.push_back(std::move(next));
        }
        end_of_size(channels, side);
        if (shapes_.empty())
            throw std::invalid_argument("the ImageNet network makes no features of 41x41 or less");

        passes_ = stem_.filters.outputs * stem_.shape.side * stem_.shape.side;
        largest_ = std::max(stem_.filters.inputs, stem_.filters.outputs) * stem_.shape.side *
                   stem_.shape.side;
        for (const block& b : blocks_) {
            passes_ += b.passes();
            largest_ = std::max({largest_, b.middle.channels() * b.in_places(),
                                 b.middle.channels() * b.places(), b.project.outputs * b.places()});
        }
    }

    const std::vector<feature_shape>& shapes() const override { return shapes_; }
    long embedding_size() const override { return 0; }

    void forward(const float* images, long count, const std::vector<float*>& targets,
                 float*) override {
        passes_of_images_.resize(as_size(count * passes_));
        parallel_chunks(count, [&](long, long begin, long end) {
            scratch memory(largest_);
            for (long i = begin; i < end; ++i)
                forward_one(images + i * image_values, i, targets, memory);
        });
    }

    void backward(const std::vector<const float*>& gradients, const float*, long count,
                  float* of_images) override {
        parallel_chunks(count, [&](long, long begin, long end) {
            scratch memory(largest_);
            for (long i = begin; i < end; ++i)
                backward_one(gradients, i, memory, of_images + i * image_values);
        });
    }

  private:
    struct scratch {
        explicit scratch(long size) : x(as_size(size)), y(x), z(x) {}
        std::vector<float> x, y, z; // a block's input; what its layers make of it, in turns
        workspace plane;
    };

    void end_of_size(long channels, long side) {
        if (blocks_.empty() || side >= too_fine)
            return;
        blocks_.back().scale = static_cast<long>(shapes_.size());
        shapes_.push_back({channels, side});
    }

    void forward_one(const float* image, long number, const std::vector<float*>& targets,
                     scratch& memory) {
        std::uint8_t* passes = passes_of_images_.data() + number * passes_;
        float *x = memory.x.data(), *y = memory.y.data(), *z = memory.z.data();
        const long stem_places = stem_.shape.side * stem_.shape.side;
        std::fill_n(y, stem_.filters.inputs * stem_places, 0.0f);
        stem_.each([&](long tap, long place, long source) {
            y[tap * stem_places + place] = image[source] * input_factor + input_offset;
        });
        stem_.filters.forward(y, stem_places, x);
        relu6(stem_.filters.bias.data(), stem_.filters.outputs, stem_places, x, passes);
        passes += stem_.filters.outputs * stem_places;
        for (const block& b : blocks_) {
            const long channels = b.middle.channels(), k = b.middle.shape.kernel;
            const float* inner = x;
            if (b.expands) {
                b.expand.forward(x, b.in_places(), y);
                relu6(b.expand.bias.data(), channels, b.in_places(), y, passes);
                inner = y;
            }
            passes += b.expanded();
            for (long c = 0; c < channels; ++c)
                depthwise_forward(b.middle.shape, inner + c * b.in_places(),
                                  b.middle.kernels.data() + c * k * k, memory.plane,
                                  z + c * b.places());
            relu6(b.middle.bias.data(), channels, b.places(), z, passes);
            passes += channels * b.places();
            b.project.forward(z, b.places(), y);
            add_bias(b.project.bias, b.places(), y);
            const long size = b.project.outputs * b.places();
            if (b.residual)
                for (long i = 0; i < size; ++i)
                    x[i] += y[i];
            else
                std::swap(x, y);
            if (b.scale >= 0)
                std::copy_n(x, size, targets[as_size(b.scale)] + number * size);
        }
    }

    void backward_one(const std::vector<const float*>& gradients, long number, scratch& memory,
                      float* of_image) const {
        const std::uint8_t* passes = passes_of_images_.data() + (number + 1) * passes_;
        float *x = memory.x.data(), *y = memory.y.data(), *z = memory.z.data(); // gradients of them
        const block& last = blocks_.back();
        std::fill_n(x, last.project.outputs * last.places(), 0.0f);
        for (auto b = blocks_.rbegin(); b != blocks_.rend(); ++b) {
            const long channels = b->middle.channels(), k = b->middle.shape.kernel;
            if (b->scale >= 0) {
                const long size = b->project.outputs * b->places();
                const float* own = gradients[as_size(b->scale)] + number * size;
                for (long i = 0; i < size; ++i)
                    x[i] += own[i];
            }
            b->project.backward(x, b->places(), z);
            passes -= channels * b->places();
            relu6_back(passes, channels * b->places(), z);
            for (long c = 0; c < channels; ++c)
                depthwise_backward(b->middle.shape, z + c * b->places(),
                                   b->middle.kernels.data() + c * k * k, memory.plane,
                                   y + c * b->in_places());
            if (b->expands) {
                passes -= b->expanded();
                relu6_back(passes, b->expanded(), y);
                b->expand.backward(y, b->in_places(), z);
                std::swap(y, z);
            }
            if (b->residual)
                for (long i = 0; i < b->project.outputs * b->places(); ++i)
                    x[i] += y[i];
            else
                std::swap(x, y);
        }
        const long stem_places = stem_.shape.side * stem_.shape.side;
        relu6_back(passes_of_images_.data() + number * passes_, stem_.filters.outputs * stem_places,
                   x);
        stem_.filters.backward(x, stem_places, y);
        std::fill_n(of_image, image_values, 0.0f);
        stem_.each([&](long tap, long place, long source) {
            of_image[source] += y[tap * stem_places + place] * input_factor;
        });
    }

    stem_convolution stem_;
    std::vector<block> blocks_;
    std::vector<feature_shape> shapes_;
    long passes_ = 0;  // of an image
    long largest_ = 0; // of its activations
    std::vector<std::uint8_t> passes_of_images_;
};

} // namespace

std::unique_ptr<feature_network> make_imagenet_features(const named_tensors& weights) {
    return std::make_unique<imagenet_features>(weights);
}

} // namespace ffgan
