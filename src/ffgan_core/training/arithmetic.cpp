// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/arithmetic.h"

#include "base/threads.h"

#include <dlib/cuda/tensor_tools.h>

namespace ffgan {

void multiply(const dlib::tensor& from, float factor, dlib::tensor& to) {
#ifdef DLIB_USE_CUDA
    dlib::tt::affine_transform(to, from, factor);
#else
    const float* source = from.host();
    float* target = to.host();
    parallel_chunks(static_cast<long>(from.size()), [=](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            target[i] = factor * source[i];
    });
#endif
}

void move_towards(dlib::tensor& values, const dlib::tensor& towards, float keep) {
#ifdef DLIB_USE_CUDA
    dlib::tt::affine_transform(values, values, towards, keep, 1 - keep);
#else
    const float* source = towards.host();
    float* target = values.host();
    parallel_chunks(static_cast<long>(values.size()), [=](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            target[i] = keep * target[i] + (1 - keep) * source[i];
    });
#endif
}

} // namespace ffgan
