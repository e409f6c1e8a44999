// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/face_cnn.h"
#include "base/network_pool.h"
#include "layers/convolution.h"

#include <dlib/dnn.h>
#include <dlib/image_transforms.h>

#include <memory>
#include <stdexcept>

namespace ffgan {
namespace {

// The network reads from its output (first line) down to its input (last line).

template <long filters, int stride, typename subnet>
using block = dlib::relu<dlib::affine<
    dlib::add_layer<layers::convolution<filters, 5, stride, stride == 1 ? 2 : 0>, subnet>>>;

// clang-format off

using detection_network =
    dlib::loss_mmod<dlib::add_layer<layers::convolution<1, 9, 1, 4>,
    block<45, 1,
    block<45, 1,
    block<45, 1,
    block<32, 2,
    block<32, 2,
    block<16, 2,
    dlib::input_rgb_image_pyramid<dlib::pyramid_down<6>>>>>>>>>>;

// clang-format on

dlib::matrix<dlib::rgb_pixel> to_matrix(const rgb_view& view) {
    dlib::matrix<dlib::rgb_pixel> pixels(view.rows, view.columns);
    const std::uint8_t* from = view.pixels;
    for (dlib::rgb_pixel& pixel : pixels) {
        pixel = dlib::rgb_pixel(from[0], from[1], from[2]);
        from += 3;
    }
    return pixels;
}

} // namespace

struct cnn_face_detector::implementation {
    network_pool<detection_network> pool;
};

cnn_face_detector::cnn_face_detector(const std::string& path)
    : implementation_(std::make_unique<implementation>()) {
    try {
        dlib::deserialize(path) >> implementation_->pool.original;
    } catch (const dlib::serialization_error& error) {
        throw std::invalid_argument(error.what());
    }
}

cnn_face_detector::~cnn_face_detector() = default;

std::vector<std::vector<face_box>> cnn_face_detector::detect(const std::vector<rgb_view>& images,
                                                             long upsamplings,
                                                             double threshold) const {
    if (upsamplings < 0 || upsamplings > 4)
        throw std::invalid_argument("the number of upsamplings is not from 0 to 4");
    const dlib::pyramid_down<2> pyramid;
    std::vector<std::vector<face_box>> boxes;
    auto network = implementation_->pool.take();
    // One at a time: each layer uses all cores.
    for (const rgb_view& view : images) {
        auto pixels = to_matrix(view);
        for (long i = 0; i < upsamplings; ++i)
            dlib::pyramid_up(pixels, pyramid);
        boxes.emplace_back();
        for (const dlib::mmod_rect& found : network->process(pixels, threshold)) {
            const dlib::rectangle box =
                pyramid.rect_down(found.rect, static_cast<unsigned int>(upsamplings));
            boxes.back().push_back({box.left(), box.top(), box.right() + 1, box.bottom() + 1,
                                    found.detection_confidence});
        }
    }
    network->clean(); // the activations of a photograph take hundreds of megabytes
    implementation_->pool.give_back(std::move(network));
    return boxes;
}

} // namespace ffgan
