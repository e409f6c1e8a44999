// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/engine.h"

#include "base/blas.h"
#include "base/threads.h"
#include "dispatch/bf16.h"
#include "dispatch/instruction_set.h"

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
    e.instructions = instruction_set();
    for (const compiled_instruction_set& set : compiled_instruction_sets())
        e.compiled_instructions += (e.compiled_instructions.empty() ? "" : ", ") + set.name;
#ifdef DLIB_USE_CUDA
    e.missing_for_bf16 = "a build that computes on the CPU";
#else
    e.missing_for_bf16 = missing_for_bf16();
#endif
    e.threads = threads();
    e.threads_from = threads_source();
    return e;
}

void set_engine_threads(long threads) { set_threads(threads); }

} // namespace ffgan
