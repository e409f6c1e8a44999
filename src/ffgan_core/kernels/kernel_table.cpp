// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/kernel_table.h"

// FFGAN_INSTRUCTION_SET is a part of the name: the only one that the other objects see.
#define FFGAN_JOINED(a, b) a##b
#define FFGAN_TABLE_OF(set) FFGAN_JOINED(ffgan_kernels_, set)
#define FFGAN_KERNEL_ADDRESS(space, name) &ffgan::space name,

namespace ffgan {

extern "C" const kernel_table FFGAN_TABLE_OF(FFGAN_INSTRUCTION_SET);
const kernel_table FFGAN_TABLE_OF(FFGAN_INSTRUCTION_SET) = {FFGAN_KERNELS(FFGAN_KERNEL_ADDRESS)};

} // namespace ffgan
