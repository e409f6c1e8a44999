// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scratch memory that is allocated once and aligned for the widest vectors; in large pages where it
// is large, since kernels walk through it in many places at a time and the processor remembers the
// addresses of few pages.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ffgan {

// A growing, 64-byte aligned scratch array of floats; its content does not survive `get`.
class workspace {
  public:
    float* get(std::size_t size) {
        if (size > capacity_) {
            data_.reset();
            capacity_ = 0;
            std::size_t bytes = size * sizeof(float);
            const std::size_t align = bytes >= large ? large : alignment;
            bytes = (bytes + align - 1) / align * align;
            data_.reset(static_cast<float*>(std::aligned_alloc(align, bytes)));
            if (!data_)
                throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
            if (align == large)
                madvise(data_.get(), bytes, MADV_HUGEPAGE); // advice: without it all is the same
#endif
            capacity_ = size;
        }
        return data_.get();
    }

    // What the last get() returned.
    const float* data() const { return data_.get(); }

  private:
    static constexpr std::size_t alignment = 64;
    static constexpr std::size_t large = 2 * 1024 * 1024; // bytes: a large page
    struct release {
        void operator()(float* p) const { std::free(p); }
    };
    std::unique_ptr<float, release> data_;
    std::size_t capacity_ = 0;
};

} // namespace ffgan
