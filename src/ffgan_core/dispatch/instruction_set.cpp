// SPDX-License-Identifier: GPL-3.0-or-later
#include "dispatch/instruction_set.h"

#include "kernels/kernel_table.h"

#include <cstdlib>

// The list is written by cmake/Kernels.cmake.
#define INSTRUCTION_SET(identifier, name)                                                          \
    extern "C" const ffgan::kernel_table ffgan_kernels_##identifier;
#include <instruction_sets.inc>
#undef INSTRUCTION_SET

namespace ffgan {
namespace {

struct candidate {
    const char* name;
    const kernel_table* table;
};

#define INSTRUCTION_SET(identifier, name) {name, &ffgan_kernels_##identifier},
const candidate candidates[] = {
#include <instruction_sets.inc>
};
#undef INSTRUCTION_SET

bool is_supported(const std::string& name) {
#ifdef __x86_64__
    // These also ask the system whether it keeps the wide registers.
    __builtin_cpu_init();
    if (name == "avx512")
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (name == "avx2")
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (name == "sse4.2")
        return __builtin_cpu_supports("sse4.2");
    return true;
#else
    return !name.empty(); // a part of the architecture
#endif
}

std::string names(bool usable) {
    std::string all;
    for (const candidate& c : candidates)
        if (!usable || is_supported(c.name))
            all += (all.empty() ? "" : ", ") + std::string(c.name);
    return all;
}

const candidate& choose() {
    const char* given = std::getenv("FFGAN_ISA");
    if (given == nullptr || *given == '\0') {
        for (const candidate& c : candidates)
            if (is_supported(c.name))
                return c;
        throw instruction_set_error(
            "this processor has none of the instruction sets that ffgan was "
            "compiled for: " +
            names(false));
    }
    for (const candidate& c : candidates)
        if (c.name == std::string(given)) {
            if (is_supported(c.name))
                return c;
            throw instruction_set_error("FFGAN_ISA is '" + std::string(given) +
                                        "', which this processor does not have: choose one of " +
                                        names(true));
        }
    throw instruction_set_error("FFGAN_ISA is '" + std::string(given) +
                                "', for which ffgan was not compiled: choose one of " +
                                names(true));
}

const candidate& chosen() {
    static const candidate& once = choose();
    return once;
}

} // namespace

const kernel_table& kernels() { return *chosen().table; }

std::string instruction_set() { return chosen().name; }

std::vector<compiled_instruction_set> compiled_instruction_sets() {
    std::vector<compiled_instruction_set> all;
    for (const candidate& c : candidates)
        all.push_back({c.name, is_supported(c.name)});
    return all;
}

} // namespace ffgan
