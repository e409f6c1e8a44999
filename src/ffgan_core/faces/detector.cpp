// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/detector.h"

#include "base/threads.h"
#include "faces/dlib_image.h"

#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_transforms.h>

#include <stdexcept>

namespace ffgan {
namespace {

std::vector<face_box> detect_in(dlib::frontal_face_detector& detector, const rgb_view& view,
                                long upsamplings, double threshold) {
    dlib_image pixels = to_dlib_image(view);
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

} // namespace ffgan
