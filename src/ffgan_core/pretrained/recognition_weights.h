// SPDX-License-Identifier: GPL-3.0-or-later
//
// The parameters of dlib's face recognition network, without dlib's types.

#pragma once

#include "pretrained/given_convolution.h"

#include <array>
#include <string>
#include <vector>

namespace ffgan {

struct recognition_weights {
    std::array<float, 3> mean_rgb{};             // of its input, in pixels
    std::vector<given_convolution> convolutions; // in the order in which an image passes them
    std::vector<float> embedding;                // (channels, face_embedding_size)
};

// path: as face_embedder takes it. Throws std::invalid_argument when it is something else.
recognition_weights read_recognition_weights(const std::string& path);

} // namespace ffgan
