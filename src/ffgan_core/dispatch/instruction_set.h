// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which of the instruction sets that the kernels were compiled for is used: the best that the
// processor has, unless the environment variable FFGAN_ISA names another one. Faces and scores have
// the same bytes with each.

#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace ffgan {

struct kernel_table;

struct instruction_set_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Those of the set in use. Throws instruction_set_error where FFGAN_ISA names none that is compiled
// in and that the processor has.
const kernel_table& kernels();

// Its name, as FFGAN_ISA takes it; throws likewise.
std::string instruction_set();

struct compiled_instruction_set {
    std::string name;
    bool supported; // by this processor
};

// The best first.
std::vector<compiled_instruction_set> compiled_instruction_sets();

} // namespace ffgan
