// SPDX-License-Identifier: GPL-3.0-or-later
//
// A dlib network is a type of many nested templates; code that trains or runs one needs only a
// dozen operations. This interface is those operations, so that the templates are compiled once
// (dlib_network.h) and the generator, both discriminators and their folded forms are handled alike.

#pragma once

#include "base/named_tensor.h"
#include "base/ranks.h"
#include "base/shapes.h"
#include "layers/aligned_tensor.h"

#include <dlib/cuda/tensor.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace ffgan {

enum class mode {
    training,          // batch statistics, which also update the stored ones; dropout on
    frozen_statistics, // batch statistics, the stored ones left alone; dropout on
    stored_statistics, // stored statistics, as constants; dropout on
    inference          // stored statistics; dropout replaced by its expectation
};

// One layer that learns something or changes the shape, as the tables list them.
struct layer_row {
    std::string name;
    std::vector<long> shape; // rows, columns, channels of the output
    long parameters = 0;
    long multiply_adds = 0; // for one sample
};

// The learned tensors of one layer: flat, in dlib's order (weights, then biases).
struct layer_parameters {
    std::string name;
    dlib::tensor* values;
    dlib::tensor* gradient; // written by network::backward
};

// The gradients with respect to what the layers pass on. Only two are needed at a time, that of a
// layer's output and that of its input, and networks that take turns can share them.
struct gradient_memory {
#ifdef DLIB_USE_CUDA
    dlib::resizable_tensor one, other;
#else
    layers::aligned_tensor one, other;
#endif
};

// Is told of each layer's parameters' gradient when a backward pass has it: the last layer's first.
class gradient_listener {
  public:
    virtual ~gradient_listener() = default;
    virtual void ready(dlib::tensor& gradient) = 0;
};

// Images [begin, end) of a batch, as far as there are such.
struct image_range {
    long begin = 0, end = std::numeric_limits<long>::max();
};

class network {
  public:
    virtual ~network() = default;

    // x: n x channels x rows x columns. The result lives until the next call.
    virtual const dlib::tensor& forward(const dlib::tensor& x) = 0;
    // The same for a backward pass with this memory, which takes what it can of it already: nothing
    // else may use it between them.
    virtual const dlib::tensor& forward(const dlib::tensor& x, gradient_memory& memory) = 0;

    // The gradients of a scalar whose gradient with respect to forward(x) is given, and is used up.
    // x must be what forward was last called with. The result is the gradient with respect to x,
    // where it is wanted; it lives in `memory` until that is used again.
    virtual dlib::tensor& backward(const dlib::tensor& x, dlib::tensor& gradient,
                                   gradient_memory& memory) = 0;

    // Frees what forward and backward keep for each other and for their next call.
    virtual void release_memory() = 0;

    virtual void set_mode(mode m) = 0;
    virtual void set_dropout(float rate) = 0;
    // Fixes the masks of the next forward pass, whose last `repeated` samples take those of the
    // first.
    virtual void set_dropout_key(std::uint64_t key, long repeated) = 0;
    // Where ranks share the next passes: batch statistics are those of all samples, and so are
    // masks.
    virtual void set_samples(const shared_samples& samples) = 0;
    // What backward leaves out: gradients of the parameters, or with respect to x.
    virtual void set_parameter_gradients(bool wanted) = 0;
    virtual void set_data_gradient(bool wanted) = 0;
    // The only images whose gradients backward has to give; the rest of its result means nothing.
    virtual void set_images_with_gradient(image_range images) = 0;
    // Of the next passes; null for none. It must live as long.
    virtual void set_gradient_listener(gradient_listener* listener) = 0;
    // How many batches the running statistics have seen; 0 makes the next batches count alike.
    virtual unsigned long statistics_updates() const = 0;
    virtual void set_statistics_updates(unsigned long updates) = 0;

    virtual std::vector<layer_parameters> parameter_tensors() = 0;
    virtual std::vector<layer_row> rows() = 0;

    // By name: conv<i>.weight, conv<i>.bias, norm<i>.weight, .bias, .running_mean, .running_var,
    // fc.weight, fc.bias.
    virtual named_tensors parameters() = 0;
    // Throws std::invalid_argument that names the tensor which is missing, unknown, or of another
    // shape.
    virtual void set_parameters(const named_tensors& parameters) = 0;
    // What the last backward left, under the parameters' names.
    virtual named_tensors gradients() = 0;
    // dlib's initialisation (Glorot and Bengio 2010), drawn from the seed.
    virtual void initialise(std::uint64_t seed) = 0;
};

// "generator", "program" or "table"; throws std::invalid_argument for another name.
std::unique_ptr<network> make_network(const std::string& name);

// For inference: of "generator" or "program" with batch norm folded and dropout replaced by its
// expectation; "table", whose norms cannot be folded through the next zero padding, as it is.
std::unique_ptr<network> make_inference_network(const std::string& name,
                                                const named_tensors& parameters, float dropout);

} // namespace ffgan
