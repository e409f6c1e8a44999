// SPDX-License-Identifier: GPL-3.0-or-later
//
// The original program's two networks, written against dlib alone: an independent reader and writer
// of `.dnn` files, so that the tests do not compare the core's idea of the format with itself.

#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlib/dnn.h>

using noise = std::array<dlib::matrix<float, 1, 1>, 100>;
using image = dlib::matrix<dlib::rgb_pixel>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using conp =
    dlib::add_layer<dlib::con_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using contp =
    dlib::add_layer<dlib::cont_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;

template <template <typename> class BN>
using generator_of = dlib::loss_binary_log_per_pixel<dlib::fc_no_bias<
    1, dlib::sig<contp<
           3, 4, 2, 0,
           dlib::relu<BN<contp<
               64, 4, 2, 1,
               dlib::relu<BN<contp<
                   128, 4, 2, 1,
                   dlib::relu<BN<contp<
                       128, 4, 2, 1,
                       dlib::relu<BN<contp<
                           256, 3, 3, 1,
                           dlib::relu<BN<contp<512, 4, 1, 0, dlib::input<noise>>>>>>>>>>>>>>>>>>>>;

template <template <typename> class BN, template <typename> class DROPOUT, typename SUBNET>
using normed = DROPOUT<dlib::leaky_relu<BN<SUBNET>>>;

template <template <typename> class BN, template <typename> class DROPOUT>
using discriminator_of = dlib::loss_binary_log<dlib::fc<
    1, conp<3, 1, 1, 0,
            normed<BN, DROPOUT,
                   conp<512, 4, 2, 1,
                        normed<BN, DROPOUT,
                               conp<256, 3, 3, 1,
                                    normed<BN, DROPOUT,
                                           conp<128, 4, 2, 1,
                                                normed<BN, DROPOUT,
                                                       conp<128, 4, 2, 1,
                                                            DROPOUT<dlib::leaky_relu<conp<
                                                                64, 4, 2, 0,
                                                                dlib::input<image>>>>>>>>>>>>>>>;

using generator_type = generator_of<dlib::bn_con>;
using discriminator_type = discriminator_of<dlib::bn_con, dlib::dropout>;

// dlib turns a trained network into these when it reads one.
using generator_test_type = generator_of<dlib::affine>;
using discriminator_test_type = discriminator_of<dlib::affine, dlib::multiply>;

inline std::vector<noise> read_noises(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<noise> noises;
    std::array<float, 100> values;
    while (in.read(reinterpret_cast<char*>(values.data()), sizeof(values))) {
        noise sample;
        for (std::size_t i = 0; i < values.size(); ++i)
            sample[i] = values[i];
        noises.push_back(sample);
    }
    if (noises.empty())
        throw std::runtime_error(path + ": no noise");
    return noises;
}

inline image to_image(const dlib::tensor& output, long index) {
    image pixels(output.nr(), output.nc());
    const auto value = [&](long channel, long row, long column) {
        const float* values = output.host();
        const float v =
            values[((index * output.k() + channel) * output.nr() + row) * output.nc() + column];
        return static_cast<unsigned char>(std::round(v * 255.0F));
    };
    for (long row = 0; row < output.nr(); ++row)
        for (long column = 0; column < output.nc(); ++column)
            pixels(row, column) = dlib::rgb_pixel(value(0, row, column), value(1, row, column),
                                                  value(2, row, column));
    return pixels;
}

// Writes each noise's face as RGB bytes and its score as a 32-bit float. One sample at a time: that
// is what makes dlib's batch norm use its stored statistics.
template <typename GENERATOR, typename DISCRIMINATOR>
void write_faces(GENERATOR& generator, DISCRIMINATOR& discriminator,
                 const std::vector<noise>& noises, const std::string& pixels_path,
                 const std::string& scores_path) {
    std::ofstream pixels(pixels_path, std::ios::binary), scores(scores_path, std::ios::binary);
    for (const auto& sample : noises) {
        generator(sample);
        const image face = to_image(dlib::layer<2>(generator).get_output(), 0);
        for (const auto& pixel : face) {
            const std::uint8_t rgb[] = {pixel.red, pixel.green, pixel.blue};
            pixels.write(reinterpret_cast<const char*>(rgb), sizeof(rgb));
        }
        const float score = discriminator(face);
        scores.write(reinterpret_cast<const char*>(&score), sizeof(score));
    }
    pixels.close();
    scores.close();
    if (!pixels || !scores)
        throw std::runtime_error("cannot write " + pixels_path + " or " + scores_path);
}
