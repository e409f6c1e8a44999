// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's landmarks of faces. This may be called from any thread.

#pragma once

#include "base/rgb_view.h"

#include <memory>
#include <string>
#include <vector>

namespace ffgan {

struct pixel_position {
    long x, y;
};

struct exact_position {
    double x, y;
};

// In pixels; a pixel's middle is at whole numbers. Its sides are those of dlib's rectangles: they
// go through the middles of the outermost pixels.
struct exact_box {
    double left, top, right, bottom;
};

// The files are dlib's own, deserialised by dlib, which does not defend itself against bad ones:
// read only files from those you trust.
class face_landmarks {
  public:
    // path: a shape predictor of 5 or 68 points. Throws std::invalid_argument when it is none.
    explicit face_landmarks(const std::string& path);
    ~face_landmarks();

    // The number of points of a face.
    long count() const;

    // The points of each box's face, box after box.
    std::vector<pixel_position> find(const rgb_view& image,
                                     const std::vector<face_box>& boxes) const;

    // The same with fractions of pixels, in an image that is interpolated between its pixels:
    // steadier, as a point of `find` jumps from pixel to pixel.
    std::vector<exact_position> locate(const rgb_view& image,
                                       const std::vector<exact_box>& boxes) const;

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace ffgan
