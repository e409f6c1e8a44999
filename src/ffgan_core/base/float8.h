// SPDX-License-Identifier: GPL-3.0-or-later
//
// Eight floats as one value, through the vector extension of GCC and Clang: the compiler maps it to
// whatever instruction set it is told to target, so one source serves SSE, AVX, AVX-512 and NEON.

#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

// The vector types stay inside inlined functions, so the calling convention GCC warns about for
// targets without AVX is never used.
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

namespace ffgan {

typedef float float8 __attribute__((vector_size(32)));
typedef std::int32_t int32x8 __attribute__((vector_size(32)));

inline float8 load8(const float* p) {
    float8 v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

inline void store8(float* p, float8 v) { std::memcpy(p, &v, sizeof v); }

inline float8 broadcast8(float x) { return float8{x, x, x, x, x, x, x, x}; }

inline double sum8(float8 v) {
    return ((static_cast<double>(v[0]) + v[1]) + (static_cast<double>(v[2]) + v[3])) +
           ((static_cast<double>(v[4]) + v[5]) + (static_cast<double>(v[6]) + v[7]));
}

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
