// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef FFGAN_LAYERS_TRANSPOSED_CONVOLUTION_H
#define FFGAN_LAYERS_TRANSPOSED_CONVOLUTION_H

// dlib's transposed convolution runs the slow gradient of its CPU convolution. This layer is dlib's
// cont_ to everything around it (parameters, files, printing), computed by convolution_kernels.h.
// Where dlib has CUDA it is dlib's own layer.

#ifdef DLIB_USE_CUDA
#include <cstdint>
#include <dlib/dnn.h>
#else
#include "kernels/convolution_kernels.h"
#include "layers/filter_parameters.h"
#include "layers/gradient_target.h"
#endif

namespace ffgan::layers {

#ifdef DLIB_USE_CUDA

template <long Filters, long Kernel, int Stride, int Padding>
class transposed_convolution
    : public dlib::cont_<Filters, Kernel, Kernel, Stride, Stride, Padding, Padding> {
  public:
    /// cuDNN computes the gradient either way; kept so that callers need not know the device.
    void set_data_gradient(bool wanted) { data_gradient_ = wanted; }
    bool data_gradient() const { return data_gradient_; }
    /// dlib draws the initial filters from std::rand().
    void set_seed(std::uint64_t) {}

  private:
    bool data_gradient_ = true;
};

#else

/// Square transposed convolution of (n, k, rows, columns) float32 into Filters channels of
/// Stride * (rows - 1) + Kernel - 2 * Padding rows, columns likewise.
template <long Filters, long Kernel, int Stride, int Padding>
class transposed_convolution : public filter_parameters {
  public:
    static_assert(Filters > 0 && Kernel > 0 && Stride > 0, "sizes must be positive");
    static_assert(0 <= Padding && Padding < Kernel, "the padding must be less than the kernel");

    transposed_convolution() : filter_parameters(Filters) {}

    long num_filters() const { return output_channels(); }
    long nr() const { return Kernel; }
    long nc() const { return Kernel; }
    long stride_y() const { return Stride; }
    long stride_x() const { return Stride; }
    long padding_y() const { return Padding; }
    long padding_x() const { return Padding; }

    dlib::dpoint map_output_to_input(dlib::dpoint p) const {
        return {(p.x() + Padding - Kernel / 2) / Stride, (p.y() + Padding - Kernel / 2) / Stride};
    }
    dlib::dpoint map_input_to_output(dlib::dpoint p) const {
        return {p.x() * Stride - Padding + Kernel / 2, p.y() * Stride - Padding + Kernel / 2};
    }

    template <typename Subnet> void setup(const Subnet& sub) {
        const long channels = sub.get_output().k();
        allocate(channels, num_filters(), Kernel, channels);
    }

    template <typename Subnet> void forward(const Subnet& sub, dlib::resizable_tensor& output) {
        const dlib::tensor& input = sub.get_output();
        const auto shape = shape_of(input);
        output.set_size(input.num_samples(), shape.channels, shape.rows, shape.columns);
        spread(shape, input.num_samples(), input.host(), filters(), biases(), false,
               output.host_write_only());
    }

    template <typename Subnet>
    void backward(const dlib::tensor& gradient_input, Subnet& sub, dlib::tensor& params_grad) {
        const dlib::tensor& input = sub.get_output();
        const auto shape = shape_of(input);
        if (data_gradient()) {
            const gradient_target target = gradient_of(sub);
            correlate(shape, input.num_samples(), gradient_input.host(), filters(), nullptr,
                      target.add, target.values.host());
        }
        if (get_learning_rate_multiplier() == 0)
            return;
        filter_gradient(shape, input.num_samples(), gradient_input.host(), input.host(),
                        params_grad.host());
        if (!bias_is_disabled())
            bias_gradient(input.num_samples(), shape.channels, shape.rows * shape.columns,
                          gradient_input.host(), params_grad.host() + biases_offset());
    }

    friend void serialize(const transposed_convolution& item, std::ostream& out) {
        item.write("cont_2", Kernel, Stride, Padding, out);
    }

    friend void deserialize(transposed_convolution& item, std::istream& in) {
        std::string version;
        dlib::deserialize(version, in);
        if (version != "cont_1" && version != "cont_2")
            throw dlib::serialization_error("expected a transposed convolution in the file, "
                                            "found '" +
                                            version + "'");
        item.read(version == "cont_2", Kernel, Stride, Padding, in);
    }

    friend std::ostream& operator<<(std::ostream& out, const transposed_convolution& item) {
        item.print("cont", Kernel, Stride, Padding, out);
        return out;
    }

    friend void to_xml(const transposed_convolution& item, std::ostream& out) {
        item.print_xml("cont", "", Kernel, Stride, Padding, out);
    }

  private:
    convolution_shape shape_of(const dlib::tensor& input) const {
        return convolution_shape::from_map(input.k(), input.nr(), input.nc(), num_filters(), Kernel,
                                           Stride, Padding);
    }
};

#endif

} // namespace ffgan::layers

#endif
