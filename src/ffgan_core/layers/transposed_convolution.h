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
        const auto shape = shape_of(input);
        output.set_size(input.num_samples(), shape.channels, shape.rows, shape.columns);
        spread(shape, input.num_samples(), input.host(), this->filters(), this->biases(), false,
               output.host_write_only());
    }

    template <typename Subnet>
    void backward(const dlib::tensor& gradient_input, Subnet& sub, dlib::tensor& params_grad) {
        const dlib::tensor& input = sub.get_output();
        const auto shape = shape_of(input);
        if (this->data_gradient()) {
            const gradient_target target = gradient_of(sub);
            correlate(shape, input.num_samples(), gradient_input.host(), this->filters(), nullptr,
                      target.add, target.values.host());
        }
        this->backward_parameters(shape, gradient_input, input, gradient_input, params_grad);
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
    convolution_shape shape_of(const dlib::tensor& input) const {
        return convolution_shape::from_map(input.k(), input.nr(), input.nc(), this->num_filters(),
                                           Kernel, Stride, Padding);
    }
};

#endif

} // namespace ffgan::layers
