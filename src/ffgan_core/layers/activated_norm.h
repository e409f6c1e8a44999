// SPDX-License-Identifier: GPL-3.0-or-later
//
// Batch norm, the (leaky) ReLU before or after it, and dropout, as one layer. As layers of their
// own, each reads and writes all of its values in both directions, which between large convolutions
// takes as long as some of these do; and each needs memory for what the next one overwrites.

#pragma once

#include "layers/activations.h"
#include "layers/batch_norm.h"
#include "layers/dropout.h"
#include "layers/gradient_target.h"

#include <string>

namespace ffgan::layers {

class activated_norm {
  public:
    batch_norm& norm() { return norm_; }
    const batch_norm& norm() const { return norm_; }
    layers::dropout& dropout() { return dropout_; }
    const layers::dropout& dropout() const { return dropout_; }

    template <typename Subnet> void setup(const Subnet& sub) { norm_.setup(sub); }
    template <typename Subnet> void forward(const Subnet& sub, dlib::resizable_tensor& output) {
        compute(sub.get_output(), output);
    }
    template <typename Subnet>
    void backward(const dlib::tensor& computed_output, const dlib::tensor& gradient_input,
                  Subnet& sub, dlib::tensor& params_grad) {
        compute_gradient(computed_output, gradient_input, sub.get_output(), gradient_of(sub),
                         params_grad);
    }
    dlib::dpoint map_input_to_output(const dlib::dpoint& p) const { return p; }
    dlib::dpoint map_output_to_input(const dlib::dpoint& p) const { return p; }
    const dlib::tensor& get_layer_params() const { return norm_.get_layer_params(); }
    dlib::tensor& get_layer_params() { return norm_.get_layer_params(); }

#ifndef DLIB_USE_CUDA
    // As batch_norm's, the activations and the dropout included. What is pending lives until the
    // next call.
    const pending_norm& prepare(const dlib::tensor& input);
    void compute_gradient_in_place(const dlib::tensor& input, dlib::tensor& gradient,
                                   dlib::tensor& params_gradient);
#endif

    // Forgets the last mask, as dlib's networks do before they are saved.
    void clean() { dropout_.clean(); }

    // The norm, then the dropout, in dlib's formats.
    friend void serialize(const activated_norm& item, std::ostream& out);
    friend void deserialize(activated_norm& item, std::istream& in);
    friend std::ostream& operator<<(std::ostream& out, const activated_norm& item);
    friend void to_xml(const activated_norm& item, std::ostream& out);

  protected:
    // The leaky ReLUs' slopes before and after the norm; 1 where there is none, 0 for a ReLU.
    activated_norm(float slope_before, float slope_after, float dropout_rate)
        : slope_before_(slope_before), slope_after_(slope_after), dropout_(dropout_rate) {}

  private:
    void compute(const dlib::tensor& input, dlib::resizable_tensor& output);
    // data_gradient may be `gradient` when it is not added to.
    void compute_gradient(const dlib::tensor& output, const dlib::tensor& gradient,
                          const dlib::tensor& input, const gradient_target& data_gradient,
                          dlib::tensor& params_gradient);

    float slope_before_, slope_after_;
    batch_norm norm_;
    layers::dropout dropout_;
    pending_norm pending_;
};

struct norm_relu : activated_norm {
    static constexpr bool starts_with_norm = true;
    norm_relu() : activated_norm(1, 0, 0) {}
};

struct norm_leaky_relu_dropout : activated_norm {
    static constexpr bool starts_with_norm = true;
    norm_leaky_relu_dropout() : activated_norm(1, leaky_slope, default_dropout) {}
};

struct leaky_relu_norm_dropout : activated_norm {
    static constexpr bool starts_with_norm = false;
    leaky_relu_norm_dropout() : activated_norm(leaky_slope, 1, default_dropout) {}
};

} // namespace ffgan::layers
