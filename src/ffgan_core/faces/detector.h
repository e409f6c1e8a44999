// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's frontal face detector. dlib's objects hold the image that they look at; this may be called
// from any thread.

#pragma once

#include "base/rgb_view.h"

#include <memory>
#include <vector>

namespace ffgan {

class face_detector {
  public:
    face_detector();
    ~face_detector();

    // The faces of each image, best first. The detector looks for faces of 80 pixels and more; each
    // of the `upsamplings` doubles the image before, for faces of half the size. `threshold`: the
    // least confidence; the detector was trained for 0.
    std::vector<std::vector<face_box>> detect(const std::vector<rgb_view>& images, long upsamplings,
                                              double threshold) const;

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
