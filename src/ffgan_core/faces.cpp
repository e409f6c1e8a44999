// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces.h"
#include "threads.h"

#include <dlib/image_processing.h>
#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_transforms.h>

#include <algorithm>
#include <stdexcept>

namespace ffgan {
namespace {

using image = dlib::array2d<dlib::rgb_pixel>;

image to_image(const rgb_view& view) {
    image result(view.rows, view.columns);
    for (long row = 0; row < view.rows; ++row) {
        const std::uint8_t* pixel = view.pixels + row * view.columns * 3;
        for (long column = 0; column < view.columns; ++column, pixel += 3)
            result[row][column] = dlib::rgb_pixel(pixel[0], pixel[1], pixel[2]);
    }
    return result;
}

dlib::rectangle to_rectangle(const face_box& box) {
    return {box.left, box.top, box.right - 1, box.bottom - 1};
}

std::vector<face_box> detect_in(dlib::frontal_face_detector& detector, const rgb_view& view,
                                long upsamplings, double threshold) {
    image pixels = to_image(view);
    const dlib::pyramid_down<2> pyramid;
    for (long i = 0; i < upsamplings; ++i)
        dlib::pyramid_up(pixels, pyramid);
    std::vector<dlib::rect_detection> found;
    detector(pixels, found, threshold);
    std::vector<face_box> boxes;
    for (const dlib::rect_detection& each : found) {
        const dlib::rectangle box =
            pyramid.rect_down(each.rect, static_cast<unsigned int>(upsamplings));
        boxes.push_back(
            {box.left(), box.top(), box.right() + 1, box.bottom() + 1, each.detection_confidence});
    }
    return boxes;
}

} // namespace

struct face_detector::implementation {
    dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
};

face_detector::face_detector() : implementation_(std::make_unique<implementation>()) {}
face_detector::~face_detector() = default;

std::vector<std::vector<face_box>> face_detector::detect(const std::vector<rgb_view>& images,
                                                         long upsamplings, double threshold) const {
    if (upsamplings < 0 || upsamplings > 4)
        throw std::invalid_argument("the number of upsamplings is not from 0 to 4");
    std::vector<std::vector<face_box>> boxes(images.size());
    parallel_chunks(static_cast<long>(images.size()), [&](long, long begin, long end) {
        // A copy takes far less time than one image.
        dlib::frontal_face_detector detector = implementation_->detector;
        for (long i = begin; i < end; ++i) {
            const auto place = static_cast<std::size_t>(i);
            boxes[place] = detect_in(detector, images[place], upsamplings, threshold);
        }
    });
    return boxes;
}

struct face_landmarks::implementation {
    dlib::shape_predictor predictor;

    template <typename function>
    void each(const image& pixels, const std::vector<face_box>& boxes, const function& f) const {
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
    const image pixels = to_image(view);
    std::vector<pixel_position> points(boxes.size() * static_cast<std::size_t>(count()));
    implementation_->each(pixels, boxes, [&](long i, const dlib::full_object_detection& face) {
        for (long k = 0; k < count(); ++k) {
            const dlib::point p = face.part(static_cast<unsigned long>(k));
            points[static_cast<std::size_t>(i * count() + k)] = {p.x(), p.y()};
        }
    });
    return points;
}

void face_landmarks::chips(const rgb_view& view, const std::vector<face_box>& boxes, long size,
                           double padding, std::uint8_t* chips) const {
    if (size < 1 || size > 4096)
        throw std::invalid_argument("the size of a chip is not from 1 to 4096");
    if (!(0 <= padding && padding <= 10))
        throw std::invalid_argument("the padding is not from 0 to 10");
    const image pixels = to_image(view);
    implementation_->each(pixels, boxes, [&](long i, const dlib::full_object_detection& face) {
        image chip;
        dlib::extract_image_chip(
            pixels, dlib::get_face_chip_details(face, static_cast<unsigned long>(size), padding),
            chip);
        std::uint8_t* out = chips + i * size * size * 3;
        for (const dlib::rgb_pixel& pixel : chip) {
            *out++ = pixel.red;
            *out++ = pixel.green;
            *out++ = pixel.blue;
        }
    });
}

} // namespace ffgan
