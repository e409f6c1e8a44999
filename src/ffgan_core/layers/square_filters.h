// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the types of a convolution and of a transposed convolution say about their filters, square
// ones, beside filter_parameters. Where dlib has CUDA both are dlib's own layers, with what callers
// ask of ours.

#pragma once

#include <cstdint>

#ifdef DLIB_USE_CUDA
#include <dlib/dnn.h>
#else
#include "kernels/convolution_kernels.h"
#include "kernels/norm_channels_last.h"
#include "layers/filter_parameters.h"
#include "layers/gradient_target.h"
#endif

namespace ffgan::layers {

#ifdef DLIB_USE_CUDA

template <typename layer> class device_layer : public layer {
  public:
    // cuDNN computes the gradient either way; kept so that callers need not know the device.
    void set_data_gradient(bool wanted) { data_gradient_ = wanted; }
    bool data_gradient() const { return data_gradient_; }
    // dlib draws the initial filters from std::rand().
    void set_seed(std::uint64_t) {}

  private:
    bool data_gradient_ = true;
};

#else

template <long Filters, long Kernel, int Stride, int Padding>
class square_filters : public filter_parameters {
  public:
    static_assert(Filters > 0 && Kernel > 0 && Stride > 0, "sizes must be positive");
    static_assert(0 <= Padding && Padding < Kernel, "the padding must be less than the kernel");

    long num_filters() const { return output_channels(); }
    long nr() const { return Kernel; }
    long nc() const { return Kernel; }
    long stride_y() const { return Stride; }
    long stride_x() const { return Stride; }
    long padding_y() const { return Padding; }
    long padding_x() const { return Padding; }

  protected:
    square_filters() : filter_parameters(Filters) {}

    // Between the fine grid of the image and the coarse one of the map (convolution_kernels.h).
    static dlib::dpoint to_map(dlib::dpoint p) {
        return {(p.x() + Padding - Kernel / 2) / Stride, (p.y() + Padding - Kernel / 2) / Stride};
    }
    static dlib::dpoint to_image(dlib::dpoint p) {
        return {p.x() * Stride - Padding + Kernel / 2, p.y() * Stride - Padding + Kernel / 2};
    }

    void write(const char* version, std::ostream& out) const {
        filter_parameters::write(version, Kernel, Stride, Padding, out);
    }
    void read(bool has_bias_flag, std::istream& in) {
        filter_parameters::read(has_bias_flag, Kernel, Stride, Padding, in);
    }
    void print(const char* name, std::ostream& out) const {
        filter_parameters::print(name, Kernel, Stride, Padding, out);
    }
    void print_xml(const char* name, const char* more_attributes, std::ostream& out) const {
        filter_parameters::print_xml(name, more_attributes, Kernel, Stride, Padding, out);
    }

    // The gradients of the filters, unless nobody wants them, and of the biases, from that of the
    // output.
    void backward_parameters(const convolution_shape& shape, long samples,
                             const layer_values& image, const layer_values& map, long places,
                             const layer_values& output_gradient, dlib::tensor& params_grad) const {
        if (get_learning_rate_multiplier() == 0)
            return;
        filter_gradient(shape, samples, image, map, params_grad.host());
        if (bias_is_disabled())
            return;
        float* target = params_grad.host() + biases_offset();
        if (output_gradient.channels_last)
            bias_gradient_channels_last({samples, num_filters(), places}, output_gradient.values,
                                        target);
        else
            bias_gradient(samples, num_filters(), places, output_gradient.values, target);
    }
};

#endif

} // namespace ffgan::layers
