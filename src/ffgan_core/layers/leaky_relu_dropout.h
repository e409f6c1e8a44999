// SPDX-License-Identifier: GPL-3.0-or-later
//
// A leaky ReLU and dropout in one pass over the memory, in place: the block without a norm.

#pragma once

#include "kernels/layer_values.h"
#include "layers/activations.h"
#include "layers/dropout.h"

#include <string>

namespace ffgan::layers {

class leaky_relu_dropout {
  public:
    explicit leaky_relu_dropout(float slope = leaky_slope, float rate = default_dropout)
        : slope_(slope), dropout_(rate) {}

    layers::dropout& dropout() { return dropout_; }
    const layers::dropout& dropout() const { return dropout_; }

    template <typename Subnet> void setup(const Subnet&) {}
    void forward_inplace(const dlib::tensor& input, dlib::tensor& output);
    void backward_inplace(const dlib::tensor& computed_output, const dlib::tensor& gradient_input,
                          dlib::tensor& data_grad, dlib::tensor& params_grad);
    dlib::dpoint map_input_to_output(const dlib::dpoint& p) const { return p; }
    dlib::dpoint map_output_to_input(const dlib::dpoint& p) const { return p; }
    const dlib::tensor& get_layer_params() const { return params_; }
    dlib::tensor& get_layer_params() { return params_; }

#ifndef DLIB_USE_CUDA
    // As activated_norm's.
    const pending_norm& prepare(const dlib::tensor& input);
    void compute_gradient_in_place(const dlib::tensor& input, dlib::tensor& gradient) const;
#endif

    // Forgets the last mask, as dlib's networks do before they are saved.
    void clean() { dropout_.clean(); }

    // The leaky ReLU, then the dropout, in dlib's formats.
    friend void serialize(const leaky_relu_dropout& item, std::ostream& out);
    friend void deserialize(leaky_relu_dropout& item, std::istream& in);
    friend std::ostream& operator<<(std::ostream& out, const leaky_relu_dropout& item);
    friend void to_xml(const leaky_relu_dropout& item, std::ostream& out);

  private:
    float slope_;
    layers::dropout dropout_;
    pending_norm pending_;
    dlib::resizable_tensor params_;
};

} // namespace ffgan::layers
