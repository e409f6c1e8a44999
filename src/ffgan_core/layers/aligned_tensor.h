// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's tensors begin where malloc puts them, 16 bytes into a cache line. Where the channels of a
// pixel are whole lines, each access would then touch two. These begin with a line, and large ones
// are in huge pages where the system has them.

#pragma once

#include <dlib/cuda/tensor.h>

#include <optional>

namespace ffgan::layers {

class aligned_tensor {
  public:
    // The values mean nothing afterwards. Both return get().
    dlib::tensor& set_size(long samples, long channels, long rows, long columns);
    dlib::tensor& copy_size(const dlib::tensor& other);

    // After set_size; lives until the next.
    dlib::tensor& get() { return *values_; }

    // Frees the memory.
    void clear();

  private:
    dlib::resizable_tensor memory_;
    std::optional<dlib::alias_tensor_instance> values_;
};

} // namespace ffgan::layers
