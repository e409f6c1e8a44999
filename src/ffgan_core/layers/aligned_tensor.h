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

    // As set_size, but in the last floats of another's memory, of which that has at least `room`
    // then. What is larger and needs them too may be there only before or after.
    dlib::tensor& set_size_at_end(aligned_tensor& other, long room, long samples, long channels,
                                  long rows, long columns);

    // After either; lives until the next.
    dlib::tensor& get() { return *values_; }

    // Frees the memory.
    void clear();

  private:
    // Floats before the first one that begins a line.
    std::size_t reserve(long size);

    dlib::resizable_tensor memory_;
    std::optional<dlib::alias_tensor_instance> values_;
};

} // namespace ffgan::layers
