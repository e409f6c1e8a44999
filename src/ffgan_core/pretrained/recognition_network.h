// SPDX-License-Identifier: GPL-3.0-or-later
//
// The face recognition network of dlib's dnn_face_recognition_ex, as a type. Include this header in
// few files: it is long to compile.

#pragma once

#include "layers/convolution.h"
#include "pretrained/face_embedding.h"

#include <dlib/dnn.h>

#include <type_traits>

namespace ffgan::recognition {

// The network reads from its output (first line) down to its input (last line). In inference its
// batch norms are affine layers.

template <long filters, long kernel, int stride, typename subnet>
using conv =
    dlib::add_layer<layers::convolution<filters, kernel, stride, stride == 1 ? kernel / 2 : 0>,
                    subnet>;

// clang-format off

template <long filters, int stride, typename subnet>
using block =
    dlib::affine<conv<filters, 3, 1,
    dlib::relu<dlib::affine<conv<filters, 3, stride,
    subnet>>>>>;

template <long filters, typename subnet>
using residual = dlib::relu<dlib::add_prev1<block<filters, 1, dlib::tag1<subnet>>>>;

template <long filters, typename subnet>
using residual_down =
    dlib::relu<dlib::add_prev2<dlib::avg_pool<2, 2, 2, 2, dlib::skip1<dlib::tag2<
    block<filters, 2, dlib::tag1<subnet>>>>>>>;

template <typename subnet> using level0 = residual_down<256, subnet>;
template <typename subnet>
using level1 = residual<256, residual<256, residual_down<256, subnet>>>;
template <typename subnet>
using level2 = residual<128, residual<128, residual_down<128, subnet>>>;
template <typename subnet>
using level3 = residual<64, residual<64, residual<64, residual_down<64, subnet>>>>;
template <typename subnet> using level4 = residual<32, residual<32, residual<32, subnet>>>;

// The layers whose output still has places, with its size for an image of 162x162.
using fine =
    level4<                    // 38x38x32
    dlib::max_pool<3, 3, 2, 2,
    dlib::relu<dlib::affine<conv<32, 7, 2,
    dlib::input_rgb_image_sized<face_chip_size>>>>>>;
using middle = level3<fine>;   // 19x19x64
using coarse = level2<middle>; //   9x9x128

using embedder =               // of any size of image
    dlib::fc_no_bias<face_embedding_size,
    dlib::avg_pool_everything<
    level0<
    level1<
    coarse>>>>;

using network = dlib::loss_metric<embedder>;

// clang-format on

template <typename T> struct is_convolution : std::false_type {};
template <long filters, long kernel, int stride, int padding>
struct is_convolution<layers::convolution<filters, kernel, stride, padding>> : std::true_type {};

template <typename T> struct is_fully_connected : std::false_type {};
template <unsigned long outputs, dlib::fc_bias_mode bias>
struct is_fully_connected<dlib::fc_<outputs, bias>> : std::true_type {};

// The part of a network that is of a type, such as its layers up to `middle`.
template <typename part, typename whole> part& find(whole& net) {
    if constexpr (std::is_same_v<part, whole>)
        return net;
    else
        return find<part>(net.subnet());
}

} // namespace ffgan::recognition
