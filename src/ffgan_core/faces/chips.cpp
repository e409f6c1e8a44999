// SPDX-License-Identifier: GPL-3.0-or-later
#include "faces/chips.h"

#include "base/dlib_image.h"
#include "base/threads.h"

#include <dlib/image_processing.h>
#include <dlib/image_transforms.h>

#include <stdexcept>

namespace ffgan {

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
    const dlib_image pixels = to_dlib_image(view);
    parallel_chunks(static_cast<long>(squares.size()), [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            const chip_square& square = squares[static_cast<std::size_t>(i)];
            const auto side = static_cast<unsigned long>(size);
            dlib_image chip;
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

} // namespace ffgan
