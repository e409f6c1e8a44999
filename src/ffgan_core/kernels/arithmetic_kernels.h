// SPDX-License-Identifier: GPL-3.0-or-later
//
// The arithmetic that all kernels are made of, so that it can be checked by itself.

#pragma once

namespace ffgan {

// results[i] = a[i] * b[i] + c[i], rounded once: what std::fma gives, on every processor.
void multiply_add_values(long n, const float* a, const float* b, const float* c, float* results);

} // namespace ffgan
