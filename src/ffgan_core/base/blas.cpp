// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/blas.h"

#ifndef FFGAN_NO_BLAS
#include <cstdint>
#include <dlfcn.h>
#include <limits>
#include <mutex>
#include <stdexcept>

extern "C" void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                            const float* a, int lda, const float* b, int ldb, float beta, float* c,
                            int ldc);
#endif

namespace ffgan {
namespace {

#ifndef FFGAN_NO_BLAS
// Looks a function up in the library that cblas_sgemm comes from: other libraries of the process
// (NumPy's own OpenBLAS, for one) may export the same name.
void* blas_symbol(const char* name) {
    void* found = nullptr;
    Dl_info info;
    if (dladdr(reinterpret_cast<void*>(&cblas_sgemm), &info) != 0 && info.dli_fname != nullptr) {
        if (void* library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)) {
            found = dlsym(library, name);
            dlclose(library);
        }
    }
    return found != nullptr ? found : dlsym(RTLD_DEFAULT, name);
}

template <class Result> Result (*blas_function(const char* name))() {
    return reinterpret_cast<Result (*)()>(blas_symbol(name));
}

void make_blas_single_threaded() {
    using setter = void (*)(int);
    for (const char* name : {"scipy_openblas_set_num_threads", "openblas_set_num_threads",
                             "MKL_Set_Num_Threads", "bli_thread_set_num_threads"}) {
        void* symbol = blas_symbol(name);
        if (symbol == nullptr)
            continue;
        // BLIS takes its own integer type, 64 bits wide by default.
        if (std::string(name) == "bli_thread_set_num_threads")
            reinterpret_cast<void (*)(std::int64_t)>(symbol)(1);
        else
            reinterpret_cast<setter>(symbol)(1);
    }
}

int blas_integer(long value) {
    if (value < 0 || value > std::numeric_limits<int>::max())
        throw std::invalid_argument("matrix dimension " + std::to_string(value) +
                                    " is beyond the BLAS's 32-bit integers");
    return static_cast<int>(value);
}
#endif

} // namespace

#ifdef FFGAN_NO_BLAS

// sgemm: kernels/built_in_blas.cpp
std::string blas_name() { return "built-in"; }

#else

void sgemm(bool trans_a, bool trans_b, long m, long n, long k, float alpha, const float* a,
           long lda, const float* b, long ldb, float beta, float* c, long ldc) {
    static std::once_flag once;
    std::call_once(once, make_blas_single_threaded);
    constexpr int row_major = 101, no_transpose = 111, transpose = 112;
    cblas_sgemm(row_major, trans_a ? transpose : no_transpose, trans_b ? transpose : no_transpose,
                blas_integer(m), blas_integer(n), blas_integer(k), alpha, a, blas_integer(lda), b,
                blas_integer(ldb), beta, c, blas_integer(ldc));
}

std::string blas_name() {
    // OpenBLAS tells its version and the kernel it chose for this CPU in one line.
    for (const char* name : {"scipy_openblas_get_config", "openblas_get_config"})
        if (auto config = blas_function<const char*>(name))
            return config();
    if (blas_symbol("MKL_Get_Version_String") != nullptr)
        return "MKL";
    if (auto version = blas_function<const char*>("bli_info_get_version_str"))
        return std::string("BLIS ") + version();
    return "BLAS";
}

#endif

} // namespace ffgan
