// SPDX-License-Identifier: GPL-3.0-or-later
//
// What kernels/ offers to the rest. The .cpp files of this folder are compiled once for each
// instruction set, with every symbol but the table of that set made local to it
// (cmake/Kernels.cmake), so the same names stand for different code in each. A new kernel is a
// header and a .cpp file here, a row in this list, and a function in dispatch/forwarders.cpp.

#pragma once

#include "base/blas.h"
#include "kernels/activation_kernels.h"
#include "kernels/adam_kernel.h"
#include "kernels/arithmetic_kernels.h"
#include "kernels/channel_order.h"
#include "kernels/channel_passes.h"
#include "kernels/convolution_kernels.h"
#include "kernels/depthwise.h"
#include "kernels/dropout_kernels.h"
#include "kernels/face_scan.h"
#include "kernels/norm_channels_last.h"
#include "kernels/norm_kernels.h"
#include "kernels/pixel_kernels.h"
#include "kernels/pixel_product.h"
#include "kernels/tiled_convolution.h"

#ifdef FFGAN_NO_BLAS
#define FFGAN_BUILT_IN_BLAS(row) row(, sgemm)
#else
#define FFGAN_BUILT_IN_BLAS(row)
#endif

// row(namespace within ffgan, function)
// clang-format off
#define FFGAN_KERNELS(row)                            \
    row(, multiply_add_values)                        \
    row(, make_face_scan)                             \
    row(, scan_faces)                                 \
    row(, sigmoid_values)                             \
    row(, softmax)                                    \
    row(, unit_to_pixels)                             \
    row(, pixels_to_floats)                           \
    row(, update_adam)                                \
    row(layers::, multiply_and_clip)                  \
    row(layers::, multiply_pixels)                    \
    row(layers::, multiply_and_gate)                  \
    row(layers::, correlate_and_clip)                 \
    row(layers::, correlate_and_gate)                 \
    row(layers::, note_positive)                      \
    row(layers::, add_and_clip)                       \
    row(layers::, close_gates)                        \
    row(layers::, add_channels)                       \
    row(layers::, pool_largest)                       \
    row(layers::, pool_largest_adjoint)               \
    row(layers::, planes_to_channels_last)            \
    row(layers::, channels_last_to_planes)            \
    row(layers::, correlate)                          \
    row(layers::, spread)                             \
    row(layers::, filter_gradient)                    \
    row(layers::, bias_gradient)                      \
    row(layers::, pack_filters)                       \
    row(layers::, run_strips)                         \
    row(layers::, convolve)                           \
    row(layers::, tiled_filter_gradient)              \
    row(layers::, channel_statistics)                 \
    row(layers::, plane_statistics)                   \
    row(layers::, join_planes)                        \
    row(layers::, normalize)                          \
    row(layers::, normalize_batch)                    \
    row(layers::, normalize_backward)                 \
    row(layers::, leaky_relu_forward)                 \
    row(layers::, leaky_relu_backward)                \
    row(layers::, sigmoid_forward)                    \
    row(layers::, sigmoid_backward)                   \
    row(layers::, leaky_relu_dropout_forward)         \
    row(layers::, leaky_relu_dropout_backward)        \
    row(layers::, dropout_mask)                       \
    row(layers::, repeat_mask)                        \
    row(layers::, dropout_apply)                      \
    row(layers::, dropout_scale)                      \
    row(layers::, statistics_channels_last)           \
    row(layers::, norm_gradient_channels_last)        \
    row(layers::, plane_statistics_channels_last)     \
    row(layers::, activation_gradient_channels_last)  \
    row(layers::, bias_gradient_channels_last)        \
    row(layers::, mask_channels_last)                 \
    FFGAN_BUILT_IN_BLAS(row)
// clang-format on

namespace ffgan {

#define FFGAN_KERNEL_MEMBER(space, name) decltype(&ffgan::space name) name;
struct kernel_table {
    FFGAN_KERNELS(FFGAN_KERNEL_MEMBER)
};
#undef FFGAN_KERNEL_MEMBER

} // namespace ffgan
