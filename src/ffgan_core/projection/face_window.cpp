// SPDX-License-Identifier: GPL-3.0-or-later
#include "projection/face_window.h"

#include <algorithm>
#include <cmath>

namespace ffgan {
namespace {

constexpr long plane = image_size * image_size;
constexpr long window_plane = face_chip_size * face_chip_size;

// Calls f(from, to, weight) with the places of pixels in a plane of the image and of the window.
template <typename F> void each_pair(const chip_square& square, F&& f) {
    // dlib's rectangles end at the middle of the outermost pixels, and count one pixel more.
    const double scale = (square.side - 1) / static_cast<double>(face_chip_size - 1);
    const double middle = static_cast<double>(face_chip_size - 1) / 2;
    const double cosine = std::cos(square.angle) * scale, sine = std::sin(square.angle) * scale;
    for (long row = 0; row < face_chip_size; ++row)
        for (long column = 0; column < face_chip_size; ++column) {
            const double across = static_cast<double>(column) - middle;
            const double down = static_cast<double>(row) - middle;
            const double x = square.x + across * cosine - down * sine;
            const double y = square.y + across * sine + down * cosine;
            const long left = static_cast<long>(std::floor(x)),
                       top = static_cast<long>(std::floor(y));
            if (left < 0 || top < 0 || left + 1 >= image_size || top + 1 >= image_size)
                continue;
            const auto right_share = static_cast<float>(x - static_cast<double>(left));
            const auto bottom_share = static_cast<float>(y - static_cast<double>(top));
            const long from = top * image_size + left, to = row * face_chip_size + column;
            f(from, to, (1 - right_share) * (1 - bottom_share));
            f(from + 1, to, right_share * (1 - bottom_share));
            f(from + image_size, to, (1 - right_share) * bottom_share);
            f(from + image_size + 1, to, right_share * bottom_share);
        }
}

} // namespace

void cut_window(const chip_square& square, const float* image, float* window) {
    std::fill_n(window, window_values, 0.0f);
    each_pair(square, [&](long from, long to, float weight) {
        for (long c = 0; c < image_channels; ++c)
            window[c * window_plane + to] += weight * image[c * plane + from];
    });
}

void cut_window_adjoint(const chip_square& square, const float* of_window, float* gradient) {
    each_pair(square, [&](long from, long to, float weight) {
        for (long c = 0; c < image_channels; ++c)
            gradient[c * plane + from] += weight * of_window[c * window_plane + to];
    });
}

} // namespace ffgan
