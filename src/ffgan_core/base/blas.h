// SPDX-License-Identifier: GPL-3.0-or-later
//
// The BLAS, always single-threaded: the layers split their work over threads themselves, and a
// BLAS with threads of its own on top would fight with them for the same cores.

#pragma once

#include <string>

namespace ffgan {

// Row-major single-precision product on the calling thread: C = alpha op(A) op(B) + beta C with
// op(A) m x k, op(B) k x n, C m x n; op transposes where trans_* is true; lda, ldb, ldc are the
// stored matrices' row strides in elements. C is not read where beta is 0.
void sgemm(bool trans_a, bool trans_b, long m, long n, long k, float alpha, const float* a,
           long lda, const float* b, long ldb, float beta, float* c, long ldc);

// Name of the BLAS behind `sgemm`, with its version and kernel where it tells them; "built-in"
// when this library was built without one.
std::string blas_name();

} // namespace ffgan
