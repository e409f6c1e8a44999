// SPDX-License-Identifier: GPL-3.0-or-later
//
// The age and the gender network of Cydral Technology (dlib's dnn_age_predictor_v1 and
// dnn_gender_classifier_v1): what a face looks like, as probabilities.

#pragma once

#include "base/named_tensor.h"

#include <cstdint>
#include <memory>
#include <string>

namespace ffgan {

class face_classifier {
  public:
    // network: "age" or "gender". weights: as the ONNX files name them, of dlib's layer i
    // layer_<i>_weights, layer_<i>_bias, layer_<i>_scale, layer_<i>_offset and layer_<i>_scalar.
    // Others are not looked at. Throws std::invalid_argument that names the tensor which is missing
    // or has another shape. It is computed by the processor also where there is CUDA.
    face_classifier(const std::string& network, const named_tensors& weights);
    ~face_classifier();

    long side() const;    // of a chip, in pixels
    long classes() const; // 81 ages; or female and male

    // chips: count x side x side x 3, RGB, aligned with a padding of 0.2. probabilities: count x
    // classes. Any number of threads may call it; those of a chip do not depend on the others.
    void probabilities(const std::uint8_t* chips, long count, float* probabilities) const;

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
