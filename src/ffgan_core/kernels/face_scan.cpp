// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/face_scan.h"

#include "base/dlib_image.h"

#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_transforms.h>

namespace ffgan {
namespace {

std::vector<face_box> scan_one(dlib::frontal_face_detector& detector, const rgb_view& view,
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

std::shared_ptr<const void> make_face_scan() {
    return std::make_shared<const dlib::frontal_face_detector>(dlib::get_frontal_face_detector());
}

void scan_faces(const void* scan, const rgb_view* images, long count, long upsamplings,
                double threshold, std::vector<face_box>* boxes) {
    // A detector holds the image that it looks at; a copy takes far less time than one image.
    dlib::frontal_face_detector detector = *static_cast<const dlib::frontal_face_detector*>(scan);
    for (long i = 0; i < count; ++i)
        boxes[i] = scan_one(detector, images[i], upsamplings, threshold);
}

} // namespace ffgan
