// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/blas.h"

#ifdef FFGAN_NO_BLAS

#include "base/workspace.h"
#include "kernels/packed_product.h"

#include <algorithm>

namespace ffgan {
namespace {

// Columns whose packed block of depth stays in L2.
constexpr long block_n = 512;

void scale(long m, long n, float beta, float* c, long ldc) {
    for (long i = 0; i < m; ++i)
        for (long j = 0; j < n; ++j)
            c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
}

} // namespace

void sgemm(bool trans_a, bool trans_b, long m, long n, long k, float alpha, const float* a,
           long lda, const float* b, long ldb, float beta, float* c, long ldc) {
    if (m <= 0 || n <= 0)
        return;
    if (k <= 0 || (beta != 0 && beta != 1))
        scale(m, n, beta, c, ldc);
    static thread_local workspace left_workspace;
    static thread_local workspace right_workspace;
    const long panels = (m + packed::panel_rows - 1) / packed::panel_rows;
    for (long p = 0; p < k; p += packed::block_depth) {
        const long depth = std::min(packed::block_depth, k - p);
        float* left = left_workspace.get(static_cast<std::size_t>(packed::left_size(m, depth)));
        packed::pack_left(trans_a ? a + p * lda : a + p, trans_a ? 1 : lda, trans_a ? lda : 1, m,
                          depth, alpha, 0, panels, left);
        for (long j = 0; j < n; j += block_n) {
            const long columns = std::min(block_n, n - j);
            float* right =
                right_workspace.get(static_cast<std::size_t>(packed::right_size(depth, columns)));
            packed::pack_right(trans_b ? b + j * ldb + p : b + p * ldb + j, trans_b ? 1 : ldb,
                               trans_b ? ldb : 1, depth, columns, right);
            packed::multiply_block(m, columns, depth, 0, panels, left, right, p > 0 || beta != 0,
                                   c + j, ldc);
        }
    }
}

} // namespace ffgan

#endif
