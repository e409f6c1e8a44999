// SPDX-License-Identifier: GPL-3.0-or-later
//
// Activations of large tensors are bound by memory bandwidth, which dlib's single-threaded loops do
// not use up. These in-place layers write dlib's file format and use every thread; where dlib has
// CUDA they are dlib's own layers.

#pragma once

#ifdef DLIB_USE_CUDA
#include <dlib/dnn.h>
#else
#include "kernels/activation_kernels.h"

#include <dlib/cuda/tensor_tools.h>
#include <dlib/geometry.h>
#include <string>
#endif

namespace ffgan::layers {

// Slope of the leaky ReLU below zero (Radford, Metz, Chintala: "Unsupervised representation
// learning with deep convolutional generative adversarial networks", 2016, section 3).
constexpr float leaky_slope = 0.2f;

#ifdef DLIB_USE_CUDA

class leaky_relu : public dlib::leaky_relu_ {
  public:
    explicit leaky_relu(float slope = leaky_slope) : dlib::leaky_relu_(slope) {}
};
using relu = dlib::relu_;
using sigmoid = dlib::sig_;

#else

// What every activation is to dlib: an in-place layer without parameters.
class activation {
  public:
    template <typename Subnet> void setup(const Subnet&) {}
    dlib::dpoint map_input_to_output(const dlib::dpoint& p) const { return p; }
    dlib::dpoint map_output_to_input(const dlib::dpoint& p) const { return p; }
    const dlib::tensor& get_layer_params() const { return params_; }
    dlib::tensor& get_layer_params() { return params_; }

  protected:
    static void expect(const std::string& expected, std::istream& in) {
        std::string version;
        dlib::deserialize(version, in);
        if (version != expected)
            throw dlib::serialization_error("expected '" + expected + "' in the file, found '" +
                                            version + "'");
    }

  private:
    dlib::resizable_tensor params_;
};

// x > 0 ? x : slope * x. Slopes must not be negative: the gradient is taken at the output.
class leaky_relu : public activation {
  public:
    explicit leaky_relu(float slope = leaky_slope) : slope_(slope) {}
    float get_alpha() const { return slope_; }

    void forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
        leaky_relu_forward(static_cast<long>(input.size()), slope_, input.host(), output.host());
    }
    void backward_inplace(const dlib::tensor& computed_output, const dlib::tensor& gradient_input,
                          dlib::tensor& data_grad, dlib::tensor&) {
        leaky_relu_backward(static_cast<long>(data_grad.size()), slope_, computed_output.host(),
                            gradient_input.host(), !is_same_object(gradient_input, data_grad),
                            data_grad.host());
    }

    friend void serialize(const leaky_relu& item, std::ostream& out) {
        dlib::serialize(std::string("leaky_relu_"), out);
        dlib::serialize(item.slope_, out);
    }
    friend void deserialize(leaky_relu& item, std::istream& in) {
        expect("leaky_relu_", in);
        dlib::deserialize(item.slope_, in);
    }
    friend std::ostream& operator<<(std::ostream& out, const leaky_relu& item) {
        return out << "leaky_relu\t(alpha=" << item.slope_ << ")";
    }
    friend void to_xml(const leaky_relu& item, std::ostream& out) {
        out << "<leaky_relu alpha='" << item.slope_ << "'/>\n";
    }

  private:
    float slope_;
};

// max(x, 0).
class relu : public activation {
  public:
    // As dlib's relu_: a disabled layer hands its input on.
    void disable() { disabled_ = true; }
    bool is_disabled() const { return disabled_; }

    void forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
        if (!disabled_)
            leaky_relu_forward(static_cast<long>(input.size()), 0, input.host(), output.host());
    }
    void backward_inplace(const dlib::tensor& computed_output, const dlib::tensor& gradient_input,
                          dlib::tensor& data_grad, dlib::tensor&) {
        if (!disabled_)
            leaky_relu_backward(static_cast<long>(data_grad.size()), 0, computed_output.host(),
                                gradient_input.host(), !is_same_object(gradient_input, data_grad),
                                data_grad.host());
    }

    friend void serialize(const relu& item, std::ostream& out) {
        dlib::serialize(std::string("relu_2"), out);
        dlib::serialize(item.disabled_, out);
    }
    friend void deserialize(relu& item, std::istream& in) {
        std::string version;
        dlib::deserialize(version, in);
        item.disabled_ = false;
        if (version == "relu_2")
            dlib::deserialize(item.disabled_, in);
        else if (version != "relu_")
            throw dlib::serialization_error("expected 'relu_2' in the file, found '" + version +
                                            "'");
    }
    friend std::ostream& operator<<(std::ostream& out, const relu& item) {
        return out << "relu" << (item.disabled_ ? "\t (disabled)" : "");
    }
    friend void to_xml(const relu& item, std::ostream& out) {
        out << "<relu" << (item.disabled_ ? " disabled='true'" : "") << "/>\n";
    }

  private:
    bool disabled_ = false;
};

// 1 / (1 + exp(-x)), to within 2 units in the last place of float32.
class sigmoid : public activation {
  public:
    void forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
        sigmoid_forward(static_cast<long>(input.size()), input.host(), output.host());
    }
    void backward_inplace(const dlib::tensor& computed_output, const dlib::tensor& gradient_input,
                          dlib::tensor& data_grad, dlib::tensor&) {
        sigmoid_backward(static_cast<long>(data_grad.size()), computed_output.host(),
                         gradient_input.host(), !is_same_object(gradient_input, data_grad),
                         data_grad.host());
    }

    friend void serialize(const sigmoid&, std::ostream& out) {
        dlib::serialize(std::string("sig_"), out);
    }
    friend void deserialize(sigmoid&, std::istream& in) { expect("sig_", in); }
    friend std::ostream& operator<<(std::ostream& out, const sigmoid&) { return out << "sig"; }
    friend void to_xml(const sigmoid&, std::ostream& out) { out << "<sig/>\n"; }
};

#endif

} // namespace ffgan::layers
