// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scratch memory that is allocated once and aligned for the widest vectors.

#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace ffgan {

// A growing, 64-byte aligned scratch array of floats; its content does not survive `get`.
class workspace {
  public:
    float* get(std::size_t size) {
        if (size > capacity_) {
            data_.reset();
            capacity_ = 0;
            data_.reset(static_cast<float*>(
                ::operator new (size * sizeof(float), std::align_val_t{alignment})));
            capacity_ = size;
        }
        return data_.get();
    }

    // What the last get() returned.
    const float* data() const { return data_.get(); }

  private:
    static constexpr std::size_t alignment = 64;
    struct release {
        void operator()(float* p) const { ::operator delete (p, std::align_val_t{alignment}); }
    };
    std::unique_ptr<float, release> data_;
    std::size_t capacity_ = 0;
};

} // namespace ffgan
