// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/faces.h"
#include "base/threads.h"

#include <dlib/clustering.h>
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

std::vector<chip_square> chip_squares(const std::vector<pixel_position>& points, long per_face,
                                      long size, double padding) {
    if (per_face != 5 && per_face != 68)
        throw std::invalid_argument("a face has not 5 or 68 points");
    if (size < 1 || size > 4096)
        throw std::invalid_argument("the size of a chip is not from 1 to 4096");
    if (!(0 <= padding && padding <= 10))
        throw std::invalid_argument("the padding is not from 0 to 10");
    std::vector<chip_square> squares;
    std::vector<dlib::point> parts(static_cast<std::size_t>(per_face));
    for (std::size_t first = 0; first < points.size(); first += parts.size()) {
        for (std::size_t k = 0; k < parts.size(); ++k)
            parts[k] = {points[first + k].x, points[first + k].y};
        const dlib::chip_details details =
            dlib::get_face_chip_details(dlib::full_object_detection(dlib::rectangle(), parts),
                                        static_cast<unsigned long>(size), padding);
        const dlib::dpoint middle = dlib::dcenter(details.rect);
        squares.push_back({middle.x(), middle.y(), details.rect.width(), details.angle});
    }
    return squares;
}

void cut_chips(const rgb_view& view, const std::vector<chip_square>& squares, long size,
               std::uint8_t* chips) {
    if (size < 1 || size > 4096)
        throw std::invalid_argument("the size of a chip is not from 1 to 4096");
    const image pixels = to_image(view);
    parallel_chunks(static_cast<long>(squares.size()), [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            const chip_square& square = squares[static_cast<std::size_t>(i)];
            const auto side = static_cast<unsigned long>(size);
            image chip;
            dlib::extract_image_chip(
                pixels,
                dlib::chip_details(dlib::centered_drect(dlib::dpoint(square.x, square.y),
                                                        square.side, square.side),
                                   dlib::chip_dims(side, side), square.angle),
                chip);
            std::uint8_t* out = chips + i * size * size * 3;
            for (const dlib::rgb_pixel& pixel : chip) {
                *out++ = pixel.red;
                *out++ = pixel.green;
                *out++ = pixel.blue;
            }
        }
    });
}

std::vector<long> cluster_faces(long count, const std::vector<std::pair<long, long>>& pairs) {
    std::vector<dlib::sample_pair> edges;
    for (long i = 0; i < count; ++i) // a face like no other is a cluster, too
        edges.emplace_back(static_cast<unsigned long>(i), static_cast<unsigned long>(i));
    for (const auto& [a, b] : pairs)
        edges.emplace_back(static_cast<unsigned long>(a), static_cast<unsigned long>(b));
    std::vector<unsigned long> labels;
    dlib::rand random; // of a fixed seed
    dlib::chinese_whispers(edges, labels, 100, random);
    return {labels.begin(), labels.end()};
}

} // namespace ffgan
