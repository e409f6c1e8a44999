// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/landmarks.h"

#include "base/threads.h"
#include "faces/dlib_image.h"

#include <dlib/image_processing.h>

#include <stdexcept>

namespace ffgan {
namespace {

dlib::rectangle to_rectangle(const face_box& box) {
    return {box.left, box.top, box.right - 1, box.bottom - 1};
}

} // namespace

struct face_landmarks::implementation {
    dlib::shape_predictor predictor;

    template <typename function>
    void each(const dlib_image& pixels, const std::vector<face_box>& boxes,
              const function& f) const {
        parallel_chunks(static_cast<long>(boxes.size()), [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                f(i, predictor(pixels, to_rectangle(boxes[static_cast<std::size_t>(i)])));
        });
    }
};

face_landmarks::face_landmarks(const std::string& path)
    : implementation_(std::make_unique<implementation>()) {
    try {
        dlib::deserialize(path) >> implementation_->predictor;
    } catch (const dlib::serialization_error& error) {
        throw std::invalid_argument(error.what());
    }
    if (count() != 5 && count() != 68)
        throw std::invalid_argument("it finds " + std::to_string(count()) +
                                    " points of a face, not 5 or 68");
}

face_landmarks::~face_landmarks() = default;

long face_landmarks::count() const {
    return static_cast<long>(implementation_->predictor.num_parts());
}

std::vector<pixel_position> face_landmarks::find(const rgb_view& view,
                                                 const std::vector<face_box>& boxes) const {
    const dlib_image pixels = to_dlib_image(view);
    std::vector<pixel_position> points(boxes.size() * static_cast<std::size_t>(count()));
    implementation_->each(pixels, boxes, [&](long i, const dlib::full_object_detection& face) {
        for (long k = 0; k < count(); ++k) {
            const dlib::point p = face.part(static_cast<unsigned long>(k));
            points[static_cast<std::size_t>(i * count() + k)] = {p.x(), p.y()};
        }
    });
    return points;
}

} // namespace ffgan
