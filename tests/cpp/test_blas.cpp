// SPDX-License-Identifier: GPL-3.0-or-later

// The matrix product against a plain loop in double precision. Prints one line per check; exits 1
// when any failed.

#include "base/blas.h"
#include "base/random.h"
#include "checks.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

namespace {

using checks::check;
using checks::failures;

std::vector<float> random_values(long n, std::uint64_t seed) {
    std::vector<float> values(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = 2 * ffgan::uniform_from(ffgan::counter_random(seed, 0, i)) - 1;
    return values;
}

// Rows padded by 3 elements, so that the row strides are not the widths.
bool right(bool trans_a, bool trans_b, long m, long n, long k, float alpha, float beta) {
    const long lda = (trans_a ? m : k) + 3, ldb = (trans_b ? k : n) + 3, ldc = n + 3;
    const auto a = random_values((trans_a ? k : m) * lda, 1);
    const auto b = random_values((trans_b ? n : k) * ldb, 2);
    auto c = random_values(m * ldc, 3);
    if (beta == 0)
        for (long i = 0; i < m; ++i)
            std::fill_n(c.begin() + i * ldc, n, std::numeric_limits<float>::quiet_NaN());
    const auto before = c;
    ffgan::sgemm(trans_a, trans_b, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(),
                 ldc);
    for (long i = 0; i < m; ++i)
        for (long j = 0; j < ldc; ++j) {
            const auto at = static_cast<std::size_t>(i * ldc + j);
            if (j >= n) {
                if (c[at] != before[at])
                    return false;
                continue;
            }
            double sum = beta == 0 ? 0 : static_cast<double>(beta) * before[at];
            for (long p = 0; p < k; ++p)
                sum += static_cast<double>(alpha) *
                       a[static_cast<std::size_t>(trans_a ? p * lda + i : i * lda + p)] *
                       b[static_cast<std::size_t>(trans_b ? j * ldb + p : p * ldb + j)];
            if (!(std::abs(sum - c[at]) < 1e-4))
                return false;
        }
    return true;
}

} // namespace

int main() {
    struct size {
        long m, n, k;
    };
    for (const size& s : {size{1, 1, 1}, {6, 16, 256}, {7, 17, 257}, {100, 530, 30}, {5, 3, 600}})
        for (const bool trans_a : {false, true})
            for (const bool trans_b : {false, true})
                check("product of " + std::to_string(s.m) + "x" + std::to_string(s.k) +
                          (trans_a ? " (transposed)" : "") + " and " + std::to_string(s.k) + "x" +
                          std::to_string(s.n) + (trans_b ? " (transposed)" : ""),
                      right(trans_a, trans_b, s.m, s.n, s.k, 1, 0) &&
                          right(trans_a, trans_b, s.m, s.n, s.k, 0.5f, 1) &&
                          right(trans_a, trans_b, s.m, s.n, s.k, -1, 0.25f));
    check("the BLAS has a name: " + ffgan::blas_name(), !ffgan::blas_name().empty());
    return failures == 0 ? 0 : 1;
}
