// SPDX-License-Identifier: GPL-3.0-or-later

#include <dlib/cuda/tensor_tools.h>

#if defined(WANT_CUDA) != defined(DLIB_USE_CUDA)
#error "ffgan: this dlib was compiled with CUDA and none is wanted, or without and it is wanted"
#endif

// Calls into the library proper, so that the linker tells whether it is position-independent.
void probe(dlib::tensor& values) { dlib::tt::leaky_relu(values, values, 0.2f); }
