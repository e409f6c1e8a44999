// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's face recognition network as a feature_network: it knows what tells people apart.

#pragma once

#include "base/shapes.h"
#include "pretrained/feature_network.h"

#include <memory>
#include <string>

namespace ffgan {

// recognition: dlib_face_recognition_resnet_model_v1.dat, or one in the same form. dlib
// deserialises it and does not defend itself against bad files: read only those of people you
// trust. side: of the images in pixels, such as face_chip_size, of which its embeddings are those
// of face_embedder. Throws std::invalid_argument when the file is something else.
std::unique_ptr<feature_network> make_face_features(const std::string& recognition,
                                                    long side = image_size);

} // namespace ffgan
