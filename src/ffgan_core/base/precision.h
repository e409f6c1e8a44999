// SPDX-License-Identifier: GPL-3.0-or-later
//
// To what the operands of products are rounded in inference.

#pragma once

namespace ffgan {

enum class precision {
    float32, // not at all: a face has the same bytes on every processor
    bf16,    // to 8 bits, where the processor multiplies such numbers
};

} // namespace ffgan
