// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the faces of a picture are: dlib's frontal detector, its landmarks, and chips, upright
// square cut-outs in which the eyes are always at the same place. dlib's objects hold the image
// that they look at; these may be called from any thread.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ffgan {

// Interleaved 8-bit RGB, row by row; the memory is the caller's.
struct rgb_view {
    const std::uint8_t* pixels;
    long rows;
    long columns;
};

// In pixels, half-open: the box has the columns from `left` to before `right`. It may reach beyond
// the image.
struct face_box {
    long left, top, right, bottom;
    double confidence;
};

struct pixel_position {
    long x, y;
};

// The square of an image that becomes a chip: its centre and side in pixels, and by how many
// radians it is turned, clockwise as one sees it.
struct chip_square {
    double x, y, side, angle;
};

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

  private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

// The squares in which dlib's get_face_chip_details puts faces of 5 or 68 points each, given one
// after another. `padding`: how much is added on each side around the face, as a share of its own
// size; dlib's embedding expects 0.25.
std::vector<chip_square> chip_squares(const std::vector<pixel_position>& points, long per_face,
                                      long size, double padding);

// chips: squares x size x size x 3, black beyond the image.
void cut_chips(const rgb_view& image, const std::vector<chip_square>& squares, long size,
               std::uint8_t* chips);

// The clusters of `count` faces of whom each pair in `pairs` looks like one person: a number for
// each, by Chinese whispers (Biemann 2006), as in dlib's dnn_face_recognition_ex. Repeatable.
std::vector<long> cluster_faces(long count, const std::vector<std::pair<long, long>>& pairs);

} // namespace ffgan
