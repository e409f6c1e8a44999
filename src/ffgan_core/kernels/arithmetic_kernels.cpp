// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/arithmetic_kernels.h"

#include "kernels/float8.h"

namespace ffgan {

void multiply_add_values(long n, const float* a, const float* b, const float* c, float* results) {
    long i = 0;
    for (; i + 16 <= n; i += 16)
        store16(results + i, multiply_add(load16(a + i), load16(b + i), load16(c + i)));
    for (; i + 8 <= n; i += 8)
        store8(results + i, multiply_add(load8(a + i), load8(b + i), load8(c + i)));
    for (; i < n; ++i)
        results[i] = multiply_add(a[i], b[i], c[i]);
}

} // namespace ffgan
