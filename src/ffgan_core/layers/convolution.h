// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's convolution for the CPU unfolds one image at a time on one thread. This layer is dlib's
// con_ to everything around it (parameters, files, printing), computed by convolution_kernels.h.
// Where dlib has CUDA it is dlib's own layer.

#pragma once

#include "layers/square_filters.h"

namespace ffgan::layers {

#ifdef DLIB_USE_CUDA

template <long Filters, long Kernel, int Stride, int Padding>
class convolution
    : public device_layer<dlib::con_<Filters, Kernel, Kernel, Stride, Stride, Padding, Padding>> {};

#else

// Square convolution of (n, k, rows, columns) float32 by Filters filters.
template <long Filters, long Kernel, int Stride, int Padding>
class convolution : public square_filters<Filters, Kernel, Stride, Padding> {
    using base = square_filters<Filters, Kernel, Stride, Padding>;

  public:
    dlib::dpoint map_input_to_output(dlib::dpoint p) const { return base::to_map(p); }
    dlib::dpoint map_output_to_input(dlib::dpoint p) const { return base::to_image(p); }

    template <typename Subnet> void setup(const Subnet& sub) {
        const long channels = sub.get_output().k();
        this->allocate(this->num_filters(), channels, Kernel, channels);
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
        const auto shape = shape_over(input);
        output.set_size(input.num_samples(), shape.filters, shape.map_rows, shape.map_columns);
    }
    void compute(const dlib::tensor& input, const layer_values& values,
                 const layer_target& output) const {
        correlate(shape_over(input), input.num_samples(), values, this->filters(), this->biases(),
                  output);
    }
    void compute_data_gradient(const dlib::tensor& input, const layer_values& gradient,
                               const layer_target& target) const {
        spread(shape_over(input), input.num_samples(), gradient, this->filters(), nullptr, target);
    }
    void compute_parameter_gradient(const dlib::tensor& input, const layer_values& values,
                                    const layer_values& gradient, dlib::tensor& params_grad) const {
        const auto shape = shape_over(input);
        this->backward_parameters(shape, input.num_samples(), values, gradient,
                                  shape.map_rows * shape.map_columns, gradient, params_grad);
    }

    friend void serialize(const convolution& item, std::ostream& out) {
        item.write("con_6", out);
        const bool use_relu = false;
        dlib::serialize(use_relu, out);
    }

    friend void deserialize(convolution& item, std::istream& in) {
        std::string version;
        dlib::deserialize(version, in);
        if (version != "con_4" && version != "con_5" && version != "con_6")
            throw dlib::serialization_error("expected a convolution in the file, found '" +
                                            version + "'");
        item.read(version != "con_4", in);
        bool use_relu = false;
        if (version == "con_6")
            dlib::deserialize(use_relu, in);
        if (use_relu)
            throw dlib::serialization_error("the file's convolution has a ReLU fused into it, "
                                            "which this network does not");
    }

    friend std::ostream& operator<<(std::ostream& out, const convolution& item) {
        item.print("con", out);
        return out;
    }

    friend void to_xml(const convolution& item, std::ostream& out) {
        item.print_xml("con", " use_relu='false'", out);
    }

  private:
    convolution_shape shape_over(const dlib::tensor& input) const {
        return convolution_shape::over_image(input.k(), input.nr(), input.nc(), this->num_filters(),
                                             Kernel, Stride, Padding);
    }
};

#endif

} // namespace ffgan::layers
