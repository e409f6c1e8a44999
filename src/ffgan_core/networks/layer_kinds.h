// SPDX-License-Identifier: GPL-3.0-or-later
//
// What code that walks through a dlib network asks about its layers. Include this header in few
// files: it is long to compile.

#pragma once

#include "networks/networks.h"

#include <type_traits>
#include <utility>

namespace ffgan::detail {

template <typename T> struct is_convolution : std::false_type {};
template <long f, long k, int s, int p>
struct is_convolution<layers::convolution<f, k, s, p>> : std::true_type {};

template <typename T> struct is_transposed_convolution : std::false_type {};
template <long f, long k, int s, int p>
struct is_transposed_convolution<layers::transposed_convolution<f, k, s, p>> : std::true_type {};

template <typename T> struct is_fully_connected : std::false_type {};
template <unsigned long n, dlib::fc_bias_mode m>
struct is_fully_connected<dlib::fc_<n, m>> : std::true_type {};

template <typename T>
constexpr bool has_weights =
    is_convolution<T>::value || is_transposed_convolution<T>::value || is_fully_connected<T>::value;
template <typename T> constexpr bool is_norm = std::is_base_of_v<layers::activated_norm, T>;

template <typename T>
constexpr bool has_dropout = std::is_same_v<T, layers::leaky_relu_dropout> ||
                             (is_norm<T> && !std::is_same_v<T, layers::norm_relu>);

template <typename layer>
using details_of = std::decay_t<decltype(std::declval<layer&>().layer_details())>;

template <typename layer>
constexpr bool reads_the_input =
    !dlib::is_nonloss_layer_type<typename std::decay_t<layer>::subnet_type>::value;

// Whether the layer writes its output over its input, which dlib then hides.
template <typename T> constexpr bool is_in_place = !has_weights<T> && !is_norm<T>;

// Calls visit(layer) from the layer next to the input up to the output.
template <typename layer, typename visitor> void walk(layer& top, visitor& visit) {
    if constexpr (!reads_the_input<layer>)
        walk(top.subnet(), visit);
    visit(top);
}

// What `top` read, given what it wrote and the network's input.
template <typename layer>
const dlib::tensor& input_of(layer& top, const dlib::tensor& output, const dlib::tensor& x) {
    if constexpr (is_in_place<details_of<layer>>)
        return output;
    else if constexpr (reads_the_input<layer>)
        return x;
    else
        return top.subnet().get_output();
}

// As walk, with each layer's output.
template <typename layer, typename visitor>
void walk_with_output(layer& top, const dlib::tensor& output, visitor& visit) {
    if constexpr (!reads_the_input<layer>)
        walk_with_output(top.subnet(), input_of(top, output, output), visit);
    visit(top, output);
}

} // namespace ffgan::detail
