// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sizes that every part of the core agrees on.

#pragma once

namespace ffgan {

constexpr long latent_size = 100;
constexpr long image_size = 162; // rows and columns
constexpr long image_channels = 3;
constexpr long image_values = image_channels * image_size * image_size;

// dlib's input layers divide a pixel by 256, while an image is the generator's sigmoid times 255:
// the discriminator sees both on dlib's scale.
constexpr float pixel_to_input = 1.0f / 256.0f;
constexpr float sigmoid_to_input = 255.0f / 256.0f;

// What a pretrained network (pretrained/feature_network.h) makes of one image at one scale:
// channels x side x side.
struct feature_shape {
    long channels, side;
    long size() const { return channels * side * side; }
};

} // namespace ffgan
