// SPDX-License-Identifier: GPL-3.0-or-later
//
// face_features.h where there is a device: dlib's own network, on it.

#pragma once

#include "pretrained/feature_network.h"

#include <memory>
#include <string>

namespace ffgan {

// As make_face_features. Exists in a CUDA build only.
std::unique_ptr<feature_network> make_device_face_features(const std::string& recognition,
                                                           long side);

} // namespace ffgan
