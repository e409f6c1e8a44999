// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's transposed convolution runs the slow gradient of its CPU convolution. This layer is dlib's
// cont_ to everything around it (parameters, files, printing), computed by convolution_kernels.h.
// Where dlib has CUDA it is dlib's own layer.

#pragma once

#include "layers/square_filters.h"

namespace ffgan::layers {

#ifdef DLIB_USE_CUDA

template <long Filters, long Kernel, int Stride, int Padding>
class transposed_convolution
    : public device_layer<dlib::cont_<Filters, Kernel, Kernel, Stride, Stride, Padding, Padding>> {
};

#else

// Square transposed convolution of (n, k, rows, columns) float32 into Filters channels of
// Stride * (rows - 1) + Kernel - 2 * Padding rows, columns likewise.
template <long Filters, long Kernel, int Stride, int Padding>
class transposed_convolution : public square_filters<Filters, Kernel, Stride, Padding> {
    using base = square_filters<Filters, Kernel, Stride, Padding>;

  public:
    dlib::dpoint map_input_to_output(dlib::dpoint p) const { return base::to_image(p); }
    dlib::dpoint map_output_to_input(dlib::dpoint p) const { return base::to_map(p); }

    template <typename Subnet> void setup(const Subnet& sub) {
        const long channels = sub.get_output().k();
        this->allocate(channels, this->num_filters(), Kernel, channels);
    }

    template <typename Subnet> void forward(const Subnet& sub, dlib::resizable_tensor& output) {
        const dlib::tensor& input = sub.get_output();
        set_output_size(input, output);
        compute(input, {input.host()}, {output.host_write_only()});
    }

    template <typename Subnet>
    void backward(const dlib::tensor& gradient_input, Subnet& sub, dlib::tensor& params_grad) {
        const dlib::tensor& input = sub.get_output();
        const layer_values values{input.host()}, gradient{gradient_input.host()};
        if (this->data_gradient()) {
            const gradient_target target = gradient_of(sub);
            compute_data_gradient(input, gradient, {target.values.host(), false, target.add});
        }
        compute_parameter_gradient(input, values, gradient, params_grad);
    }

    // The same on values in any order, with `input` for their shape.
    template <typename tensor>
    void set_output_size(const dlib::tensor& input, tensor& output) const {
        const auto shape = shape_from(input);
        output.set_size(input.num_samples(), shape.channels, shape.rows, shape.columns);
    }
    void compute(const dlib::tensor& input, const layer_values& values,
                 const layer_target& output) const {
        spread(shape_from(input), input.num_samples(), values, this->filters(), this->biases(),
               output);
    }
    void compute_data_gradient(const dlib::tensor& input, const layer_values& gradient,
                               const layer_target& target) const {
        correlate(shape_from(input), input.num_samples(), gradient, this->filters(), nullptr,
                  target);
    }
    void compute_parameter_gradient(const dlib::tensor& input, const layer_values& values,
                                    const layer_values& gradient, dlib::tensor& params_grad) const {
        const auto shape = shape_from(input);
        this->backward_parameters(shape, input.num_samples(), gradient, values,
                                  shape.rows * shape.columns, gradient, params_grad);
    }

    friend void serialize(const transposed_convolution& item, std::ostream& out) {
        item.write("cont_2", out);
    }

    friend void deserialize(transposed_convolution& item, std::istream& in) {
        std::string version;
        dlib::deserialize(version, in);
        if (version != "cont_1" && version != "cont_2")
            throw dlib::serialization_error("expected a transposed convolution in the file, "
                                            "found '" +
                                            version + "'");
        item.read(version == "cont_2", in);
    }

    friend std::ostream& operator<<(std::ostream& out, const transposed_convolution& item) {
        item.print("cont", out);
        return out;
    }

    friend void to_xml(const transposed_convolution& item, std::ostream& out) {
        item.print_xml("cont", "", out);
    }

  private:
    convolution_shape shape_from(const dlib::tensor& input) const {
        return convolution_shape::from_map(input.k(), input.nr(), input.nc(), this->num_filters(),
                                           Kernel, Stride, Padding);
    }
};

#endif

} // namespace ffgan::layers
