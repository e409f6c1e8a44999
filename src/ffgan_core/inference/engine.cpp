// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/engine.h"

#include "base/threads.h"
#include "kernels/blas.h"

namespace ffgan {

engine_description describe_engine() {
    engine_description e;
    e.dlib = FFGAN_DLIB_VERSION;
    e.blas = blas_name();
#ifdef DLIB_USE_CUDA
    e.cuda = true;
    e.convolution = "dlib's layers on cuDNN";
#else
    e.cuda = false;
    e.convolution = "ffgan's layers: minimal filtering, packed products";
#endif
#if defined(__AVX512F__)
    e.instructions = "AVX-512";
#elif defined(__AVX2__)
    e.instructions = "AVX2";
#elif defined(__AVX__)
    e.instructions = "AVX";
#else
    e.instructions = "baseline";
#endif
    e.threads = threads();
    return e;
}

void set_engine_threads(long threads) { set_threads(threads); }

} // namespace ffgan
