// SPDX-License-Identifier: GPL-3.0-or-later
//
// A backward pass on CUDA, through a network that dlib has passed forward. dlib's own keeps a
// gradient for every layer, and zeroes each before a layer adds to it.

#pragma once

#include "networks/layer_below.h"
#include "networks/layer_kinds.h"
#include "networks/network.h"

namespace ffgan::detail {

template <typename layer>
dlib::tensor& backward_through(layer& top, const dlib::tensor& output, const dlib::tensor& x,
                               dlib::tensor& gradient, gradient_memory& memory,
                               gradient_listener* listener) {
    // dlib allocates the parameters' gradient in its own backward pass.
    auto& details = top.layer_details();
    auto& parameter_gradient = static_cast<dlib::resizable_tensor&>(top.get_parameter_gradient());
    parameter_gradient.copy_size(details.get_layer_params());

    const dlib::tensor& input = input_of(top, output, x);
    dlib::tensor* input_gradient = &gradient;
    if constexpr (has_weights<details_of<layer>>) {
        dlib::resizable_tensor& free = &gradient == &memory.one ? memory.other : memory.one;
        layer_below<dlib::resizable_tensor> below(input, free);
        dlib::impl::call_layer_backward(details, output, gradient, below,
                                        static_cast<dlib::tensor&>(parameter_gradient));
        input_gradient = &free;
    } else {
        layer_below_in_place below(input, gradient);
        dlib::impl::call_layer_backward(details, output, gradient, below,
                                        static_cast<dlib::tensor&>(parameter_gradient));
    }
    if constexpr (has_weights<details_of<layer>> || is_norm<details_of<layer>>)
        if (listener != nullptr)
            listener->ready(parameter_gradient);
    if constexpr (reads_the_input<layer>)
        return *input_gradient;
    else
        return backward_through(top.subnet(), input, x, *input_gradient, memory, listener);
}

} // namespace ffgan::detail
