// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the faces of a picture are, by a convolutional network: that of dlib's
// dnn_mmod_face_detection_ex (max-margin object detection, King 2015). It finds turned and covered
// faces that the frontal detector does not see, at many times the work.

#pragma once

#include "base/rgb_view.h"

#include <memory>
#include <string>
#include <vector>

namespace ffgan {

class cnn_face_detector {
  public:
    // path: mmod_human_face_detector.dat, or one trained anew in the same form. dlib deserialises
    // it and does not defend itself against bad files: read only those of people you trust. Throws
    // std::invalid_argument when it is something else.
    explicit cnn_face_detector(const std::string& path);
    ~cnn_face_detector();

    // As face_detector::detect. Any number of threads may call it.
    std::vector<std::vector<face_box>> detect(const std::vector<rgb_view>& images, long upsamplings,
                                              double threshold) const;

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
