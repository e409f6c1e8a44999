// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/landmarks.h"

#include "base/threads.h"
#include "faces/shape_regression.h"

#include <stdexcept>

namespace ffgan {

struct face_landmarks::implementation {
    shape_regression predictor;

    template <typename function> void each(std::size_t boxes, const function& f) const {
        parallel_chunks(static_cast<long>(boxes), [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                f(static_cast<std::size_t>(i));
        });
    }
};

face_landmarks::face_landmarks(const std::string& path) {
    try {
        implementation_ = std::make_unique<implementation>(implementation{shape_regression(path)});
    } catch (const dlib::serialization_error& error) {
        throw std::invalid_argument(error.what());
    }
    if (count() != 5 && count() != 68)
        throw std::invalid_argument("it finds " + std::to_string(count()) +
                                    " points of a face, not 5 or 68");
}

face_landmarks::~face_landmarks() = default;

long face_landmarks::count() const { return implementation_->predictor.count(); }

std::vector<pixel_position> face_landmarks::find(const rgb_view& view,
                                                 const std::vector<face_box>& boxes) const {
    std::vector<pixel_position> points(boxes.size() * static_cast<std::size_t>(count()));
    implementation_->each(boxes.size(), [&](std::size_t i) {
        const face_box& box = boxes[i];
        pixel_position* out = points.data() + i * static_cast<std::size_t>(count());
        for (const dlib::point& p : implementation_->predictor.find(
                 view, {box.left, box.top, box.right - 1, box.bottom - 1}))
            *out++ = {p.x(), p.y()};
    });
    return points;
}

std::vector<exact_position> face_landmarks::locate(const rgb_view& view,
                                                   const std::vector<exact_box>& boxes) const {
    std::vector<exact_position> points(boxes.size() * static_cast<std::size_t>(count()));
    implementation_->each(boxes.size(), [&](std::size_t i) {
        const exact_box& box = boxes[i];
        exact_position* out = points.data() + i * static_cast<std::size_t>(count());
        for (const dlib::dpoint& p :
             implementation_->predictor.locate(view, {box.left, box.top, box.right, box.bottom}))
            *out++ = {p.x(), p.y()};
    });
    return points;
}

} // namespace ffgan
