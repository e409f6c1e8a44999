// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/leaky_relu_dropout.h"

#include "kernels/activation_kernels.h"
#include "kernels/norm_channels_last.h"
#include "layers/stored_values.h"

namespace ffgan::layers {
#ifdef DLIB_USE_CUDA

void leaky_relu_dropout::forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
    dlib::tt::leaky_relu(output, input, slope_);
    dropout_.forward_inplace(output, output);
}

void leaky_relu_dropout::backward_inplace(const dlib::tensor& computed_output,
                                          const dlib::tensor& gradient_input,
                                          dlib::tensor& data_grad, dlib::tensor& params_grad) {
    // What was dropped from the output has no gradient, and the rest has the sign it had before.
    if (is_same_object(gradient_input, data_grad)) {
        dropout_.backward_inplace(data_grad, data_grad, params_grad);
        dlib::tt::leaky_relu_gradient(data_grad, computed_output, data_grad, slope_);
    } else {
        dlib::resizable_tensor of_activation = gradient_input;
        dropout_.backward_inplace(of_activation, of_activation, params_grad);
        dlib::tt::leaky_relu_gradient(data_grad, computed_output, of_activation, slope_);
    }
}

#else

void leaky_relu_dropout::forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
    dropout_.draw(input);
    leaky_relu_dropout_forward(static_cast<long>(input.size()), slope_, dropout_.mask(),
                               dropout_.factor(), input.host(), output.host());
}

void leaky_relu_dropout::backward_inplace(const dlib::tensor& computed_output,
                                          const dlib::tensor& gradient_input,
                                          dlib::tensor& data_grad, dlib::tensor&) {
    leaky_relu_dropout_backward(static_cast<long>(data_grad.size()), slope_, dropout_.mask(),
                                dropout_.factor(), computed_output.host(), gradient_input.host(),
                                !is_same_object(gradient_input, data_grad), data_grad.host());
}

const pending_norm& leaky_relu_dropout::prepare(const dlib::tensor& input) {
    dropout_.draw_channels_last(input);
    pending_.around = {1, slope_, dropout_.mask(), dropout_.factor()};
    return pending_;
}

void leaky_relu_dropout::compute_gradient_in_place(const dlib::tensor& input,
                                                   dlib::tensor& gradient) const {
    activation_gradient_channels_last(shape_of(input), pending_, input.host(), gradient.host());
}

#endif

void serialize(const leaky_relu_dropout& item, std::ostream& out) {
    dlib::serialize(std::string("leaky_relu_"), out);
    dlib::serialize(item.slope_, out);
    serialize(item.dropout_, out);
}

void deserialize(leaky_relu_dropout& item, std::istream& in) {
    std::string version;
    dlib::deserialize(version, in);
    if (version != "leaky_relu_")
        throw dlib::serialization_error("expected 'leaky_relu_' in the file, found '" + version +
                                        "'");
    dlib::deserialize(item.slope_, in);
    deserialize(item.dropout_, in);
}

std::ostream& operator<<(std::ostream& out, const leaky_relu_dropout& item) {
    return out << "leaky_relu\t(alpha=" << item.slope_ << ") " << item.dropout_;
}

void to_xml(const leaky_relu_dropout& item, std::ostream& out) {
    out << "<leaky_relu alpha='" << item.slope_ << "'/>\n";
    to_xml(item.dropout_, out);
}

} // namespace ffgan::layers
