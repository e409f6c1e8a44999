// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/detector.h"

#include "base/threads.h"
#include "kernels/face_scan.h"

#include <stdexcept>

namespace ffgan {

struct face_detector::implementation {
    std::shared_ptr<const void> scan = make_face_scan();
};

face_detector::face_detector() : implementation_(std::make_unique<implementation>()) {}
face_detector::~face_detector() = default;

std::vector<std::vector<face_box>> face_detector::detect(const std::vector<rgb_view>& images,
                                                         long upsamplings, double threshold) const {
    if (upsamplings < 0 || upsamplings > 4)
        throw std::invalid_argument("the number of upsamplings is not from 0 to 4");
    std::vector<std::vector<face_box>> boxes(images.size());
    parallel_chunks(static_cast<long>(images.size()), [&](long, long begin, long end) {
        scan_faces(implementation_->scan.get(), images.data() + begin, end - begin, upsamplings,
                   threshold, boxes.data() + begin);
    });
    return boxes;
}

} // namespace ffgan
