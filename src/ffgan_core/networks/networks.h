// SPDX-License-Identifier: GPL-3.0-or-later
//
// The networks, once, in a form that reads like their tables (docs/networks.md). dlib nests a layer
// around the one that feeds it, so each type below reads from its output (first line) down to its
// input (last line). Include this header in few files: it is where the compile time goes.

#pragma once

#include "base/shapes.h"
#include "layers/activated_norm.h"
#include "layers/activations.h"
#include "layers/convolution.h"
#include "layers/leaky_relu_dropout.h"
#include "layers/transposed_convolution.h"

#include <dlib/dnn.h>

namespace ffgan {

// An input layer for tensors that are already made: dlib wants one below every network, and it
// gives the network its input shape.
template <long channels, long rows, long columns> struct tensor_input {
    using input_type = int;

    template <typename iterator>
    void to_tensor(iterator begin, iterator end, dlib::resizable_tensor& data) const {
        data.set_size(std::distance(begin, end), channels, rows, columns);
        data = 0;
    }

    friend void serialize(const tensor_input&, std::ostream& out) {
        dlib::serialize(std::string("tensor_input"), out);
    }
    friend void deserialize(tensor_input&, std::istream& in) {
        std::string version;
        dlib::deserialize(version, in);
        if (version != "tensor_input")
            throw dlib::serialization_error("Unexpected version while deserializing tensor_input.");
    }
    friend std::ostream& operator<<(std::ostream& out, const tensor_input&) {
        return out << "tensor_input";
    }
    friend void to_xml(const tensor_input&, std::ostream& out) { out << "<tensor_input/>"; }
};

template <long filters, long kernel, int stride, int padding, typename subnet>
using conp = dlib::add_layer<layers::convolution<filters, kernel, stride, padding>, subnet>;
template <long filters, long kernel, int stride, int padding, typename subnet>
using contp =
    dlib::add_layer<layers::transposed_convolution<filters, kernel, stride, padding>, subnet>;
template <typename subnet> using norm_relu = dlib::add_layer<layers::norm_relu, subnet>;
template <typename subnet>
using norm_leaky_relu_dropout = dlib::add_layer<layers::norm_leaky_relu_dropout, subnet>;
template <typename subnet>
using leaky_relu_norm_dropout = dlib::add_layer<layers::leaky_relu_norm_dropout, subnet>;
template <typename subnet>
using leaky_relu_dropout = dlib::add_layer<layers::leaky_relu_dropout, subnet>;
template <typename subnet> using relu = dlib::add_layer<layers::relu, subnet>;
template <typename subnet> using leaky_relu = dlib::add_layer<layers::leaky_relu, subnet>;
template <typename subnet> using sigmoid = dlib::add_layer<layers::sigmoid, subnet>;

using noise = tensor_input<latent_size, 1, 1>;
using rgb_image = tensor_input<image_channels, image_size, image_size>;

// clang-format off

// ---- Generator: 1x1x100 -> 162x162x3 ----------------------------------------------------------

template <long filters, long kernel, int stride, int padding, typename subnet>
using up = norm_relu<contp<filters, kernel, stride, padding, subnet>>;

using generator_network =
    sigmoid<contp<3, 4, 2, 0,  // 162x162x3
    up< 64, 4, 2, 1,           //  80x80x64
    up<128, 4, 2, 1,           //  40x40x128
    up<128, 4, 2, 1,           //  20x20x128
    up<256, 3, 3, 1,           //  10x10x256
    up<512, 4, 1, 0,           //    4x4x512
    noise>>>>>>>;

// ---- Discriminator "program": what the original trains and ships ------------------------------

template <long filters, long kernel, int stride, int padding, typename subnet>
using down = norm_leaky_relu_dropout<conp<filters, kernel, stride, padding, subnet>>;

using program_network =
    dlib::fc<1,
    conp<3, 1, 1, 0,           //     3x3x3
    down<512, 4, 2, 1,         //   3x3x512
    down<256, 3, 3, 1,         //   7x7x256
    down<128, 4, 2, 1,         // 20x20x128
    down<128, 4, 2, 1,         // 40x40x128
    leaky_relu_dropout<
    conp<64, 4, 2, 0,          //  80x80x64
    rgb_image>>>>>>>>;

// ---- Discriminator "table": the one of the original's README ----------------------------------

template <long filters, long kernel, int stride, int padding, typename subnet>
using table_block = leaky_relu_norm_dropout<conp<filters, kernel, stride, padding, subnet>>;

using table_network =
    dlib::fc<1,
    table_block< 64, 4, 2, 1,  //     9x9x64
    table_block<128, 4, 2, 1,  //  19x19x128
    table_block<128, 4, 2, 1,  //  39x39x128
    table_block<256, 3, 1, 0,  //  78x78x256
    table_block<512, 4, 2, 1,  //  80x80x512
    table_block<  3, 3, 1, 0,  // 160x160x3
    rgb_image>>>>>>>;

// ---- For inference: batch norm and the dropout's expectation folded into the convolutions -----

template <long filters, long kernel, int stride, int padding, typename subnet>
using up_folded = relu<contp<filters, kernel, stride, padding, subnet>>;

using folded_generator_network =
    sigmoid<contp<3, 4, 2, 0,
    up_folded< 64, 4, 2, 1,
    up_folded<128, 4, 2, 1,
    up_folded<128, 4, 2, 1,
    up_folded<256, 3, 3, 1,
    up_folded<512, 4, 1, 0,
    noise>>>>>>>;

template <long filters, long kernel, int stride, int padding, typename subnet>
using down_folded = leaky_relu<conp<filters, kernel, stride, padding, subnet>>;

using folded_program_network =
    dlib::fc<1,
    conp<3, 1, 1, 0,
    down_folded<512, 4, 2, 1,
    down_folded<256, 3, 3, 1,
    down_folded<128, 4, 2, 1,
    down_folded<128, 4, 2, 1,
    down_folded< 64, 4, 2, 0,
    rgb_image>>>>>>>;

// clang-format on

} // namespace ffgan
