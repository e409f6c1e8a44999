// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/activated_norm.h"

namespace ffgan::layers {

#ifdef DLIB_USE_CUDA

void activated_norm::compute(const dlib::tensor& input, dlib::resizable_tensor& output) {
    if (slope_before_ != 1) {
        dlib::resizable_tensor activated;
        activated.copy_size(input);
        dlib::tt::leaky_relu(activated, input, slope_before_);
        norm_.compute(activated, output);
    } else {
        norm_.compute(input, output);
    }
    if (slope_after_ != 1)
        dlib::tt::leaky_relu(output, output, slope_after_);
    dropout_.forward_inplace(output, output);
}

void activated_norm::compute_gradient(const dlib::tensor& output, const dlib::tensor& gradient,
                                      const dlib::tensor& input,
                                      const gradient_target& data_gradient,
                                      dlib::tensor& params_gradient) {
    dlib::resizable_tensor of_norm = gradient, unused;
    dropout_.backward_inplace(of_norm, of_norm, unused);
    // What was dropped from the output has no gradient, and the rest has the sign it had before.
    if (slope_after_ != 1)
        dlib::tt::leaky_relu_gradient(of_norm, output, of_norm, slope_after_);
    if (slope_before_ == 1) {
        norm_.compute_gradient(of_norm, input, data_gradient, params_gradient);
        return;
    }
    dlib::resizable_tensor activated, of_activated;
    activated.copy_size(input);
    of_activated.copy_size(input);
    dlib::tt::leaky_relu(activated, input, slope_before_);
    norm_.compute_gradient(of_norm, activated, {of_activated, false}, params_gradient);
    if (!data_gradient.add)
        data_gradient.values = 0;
    dlib::tt::leaky_relu_gradient(data_gradient.values, activated, of_activated, slope_before_);
}

#else

void activated_norm::compute(const dlib::tensor& input, dlib::resizable_tensor& output) {
    dropout_.draw(input);
    norm_.compute({slope_before_, slope_after_, dropout_.mask(), dropout_.factor()}, input, output);
}

void activated_norm::compute_gradient(const dlib::tensor&, const dlib::tensor& gradient,
                                      const dlib::tensor& input,
                                      const gradient_target& data_gradient,
                                      dlib::tensor& params_gradient) {
    norm_.compute_gradient({slope_before_, slope_after_, dropout_.mask(), dropout_.factor()},
                           gradient, input, data_gradient, params_gradient);
}

const pending_norm& activated_norm::prepare(const dlib::tensor& input) {
    dropout_.draw_channels_last(input);
    norm_.prepare({slope_before_, slope_after_, dropout_.mask(), dropout_.factor()}, input,
                  pending_);
    return pending_;
}

void activated_norm::compute_gradient_in_place(const dlib::tensor& input, dlib::tensor& gradient,
                                               dlib::tensor& params_gradient) {
    norm_.compute_gradient_in_place(pending_, input, gradient, params_gradient);
}

#endif

void serialize(const activated_norm& item, std::ostream& out) {
    serialize(item.norm_, out);
    serialize(item.dropout_, out);
}

void deserialize(activated_norm& item, std::istream& in) {
    deserialize(item.norm_, in);
    deserialize(item.dropout_, in);
}

std::ostream& operator<<(std::ostream& out, const activated_norm& item) {
    return out << item.norm_ << " slopes=" << item.slope_before_ << "," << item.slope_after_ << " "
               << item.dropout_;
}

void to_xml(const activated_norm& item, std::ostream& out) {
    to_xml(item.norm_, out);
    to_xml(item.dropout_, out);
}

} // namespace ffgan::layers
