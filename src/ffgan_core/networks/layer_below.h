// SPDX-License-Identifier: GPL-3.0-or-later
//
// What dlib's layers, and ours when they are called in dlib's way, see of the layer below them.

#pragma once

#include <dlib/cuda/tensor.h>

#include <type_traits>

namespace ffgan::detail {

// `memory` is a tensor, or gives one by get().
template <typename memory> class layer_below {
  public:
    layer_below(const dlib::tensor& output, memory& gradient)
        : output_(output), gradient_(gradient) {}
    const dlib::tensor& get_output() const { return output_; }
    dlib::tensor& gradient_to_overwrite() {
        gradient_.copy_size(output_);
        if constexpr (std::is_base_of_v<dlib::tensor, memory>)
            return gradient_;
        else
            return gradient_.get();
    }
    // For dlib's layers, which add to it.
    dlib::tensor& get_gradient_input() {
        dlib::tensor& gradient = gradient_to_overwrite();
        gradient = 0;
        return gradient;
    }

  private:
    const dlib::tensor& output_;
    memory& gradient_;
};

// The same for a layer that turns the gradient of its output into that of its input, in place.
class layer_below_in_place {
  public:
    layer_below_in_place(const dlib::tensor& output, dlib::tensor& gradient)
        : output_(output), gradient_(gradient) {}
    const dlib::tensor& get_output() const { return output_; }
    dlib::tensor& gradient_to_overwrite() { return gradient_; }
    dlib::tensor& get_gradient_input() { return gradient_; }

  private:
    const dlib::tensor& output_;
    dlib::tensor& gradient_;
};

} // namespace ffgan::detail
