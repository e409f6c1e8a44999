// SPDX-License-Identifier: GPL-3.0-or-later
//
// Face embeddings of dlib's face recognition network: 128 numbers, near each other for pictures of
// one person. The network is that of dlib's dnn_face_recognition_ex, a ResNet of 29 convolutions,
// and reads its file.

#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace ffgan {

constexpr long face_chip_size = 150;
constexpr long face_embedding_size = 128;

class face_embedder {
  public:
    // path: dlib_face_recognition_resnet_model_v1.dat, or one trained anew in the same form. dlib
    // deserialises it and does not defend itself against bad files: read only those of people you
    // trust. Throws std::invalid_argument when it is something else.
    explicit face_embedder(const std::string& path);
    ~face_embedder();

    // chips: count x 150 x 150 x 3, RGB, aligned with a padding of 0.25. embeddings: count x 128.
    // Two of one person are mostly less than 0.6 apart. Any number of threads may call it.
    void embed(const std::uint8_t* chips, long count, float* embeddings) const;

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
