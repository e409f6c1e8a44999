// SPDX-License-Identifier: GPL-3.0-or-later
#include "dispatch/bf16.h"

#include "bf16/bf16_convolution.h"
#include "dispatch/instruction_set.h"

#include <cstdlib>

#ifdef FFGAN_COMPILED_FOR_BF16
extern "C" const ffgan::bf16_kernels ffgan_kernels_avx512_bf16;
#endif

namespace ffgan {
namespace {

#ifdef FFGAN_COMPILED_FOR_BF16
constexpr bool is_compiled = true;
const bf16_kernels& compiled_kernels() { return ffgan_kernels_avx512_bf16; }
bool processor_has_them() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16");
}
#else
constexpr bool is_compiled = false;
const bf16_kernels& compiled_kernels() { std::abort(); }
bool processor_has_them() { return false; }
#endif

const bf16_kernels& usable() {
    static const std::string missing = missing_for_bf16();
    if (!missing.empty())
        throw instruction_set_error("bf16 needs " + missing + ": choose float32");
    return compiled_kernels();
}

} // namespace

std::string missing_for_bf16() {
    if (!is_compiled)
        return "the instructions avx512_bf16, for which ffgan was not compiled";
    if (!processor_has_them())
        return "the instructions avx512_bf16, which this processor does not have";
    if (instruction_set() != "avx512")
        return "the instruction set avx512, but FFGAN_ISA is '" + instruction_set() + "'";
    return {};
}

namespace layers {

void pack_filters_in_bf16(const tiled_filters& plan, const float* filters, float* storage) {
    usable().pack_filters(plan, filters, storage);
}

void run_strips_in_bf16(const tiled_filters& filters, const float* storage,
                        std::vector<strip>& strips, long first, long last, const epilogue& end,
                        const std::function<void(long chunk)>& load) {
    usable().run_strips(filters, storage, strips, first, last, end, load);
}

} // namespace layers
} // namespace ffgan
