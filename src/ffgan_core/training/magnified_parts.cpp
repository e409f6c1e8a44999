// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/magnified_parts.h"

#include "base/random.h"
#include "base/shapes.h"
#include "base/threads.h"

#include <algorithm>

namespace ffgan {
namespace {

constexpr long crop_size = image_size / 2;
constexpr long plane = image_size * image_size;

// Twice the size, bilinearly; beyond the crop its edge goes on. Calls f(from, to, weight), where
// `from` is the place of a pixel in the crop's image and `to` one in the magnified plane.
template <typename F> void each_magnified(long top, long left, F&& f) {
    const auto neighbour = [](long i) {
        return std::clamp((i & 1) ? i / 2 + 1 : i / 2 - 1, 0L, crop_size - 1);
    };
    for (long row = 0; row < image_size; ++row)
        for (long column = 0; column < image_size; ++column) {
            const long to = row * image_size + column;
            const auto place = [&](long r, long c) { return (top + r) * image_size + left + c; };
            const long r = row / 2, c = column / 2;
            const long other_r = neighbour(row), other_c = neighbour(column);
            f(place(r, c), to, 0.5625f);
            f(place(other_r, c), to, 0.1875f);
            f(place(r, other_c), to, 0.1875f);
            f(place(other_r, other_c), to, 0.0625f);
        }
}

struct corner {
    long top, left;
};

corner draw_corner(std::uint64_t key, long image) {
    const auto draw = [&](std::uint64_t stream) {
        return static_cast<long>(counter_random(key, stream, static_cast<std::uint64_t>(image)) %
                                 (image_size - crop_size + 1));
    };
    return {draw(1), draw(2)};
}

} // namespace

void magnify(const float* images, long all, long count, std::uint64_t key, const ranks& of,
             dlib::resizable_tensor& parts) {
    parts.set_size(2 * count, image_channels, image_size, image_size);
    float* target = parts.host_write_only();
    parallel_chunks(2 * count, [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            const corner at = draw_corner(key, of.place(i % count));
            const float* from = images + (i < count ? i : all + i - count) * image_values;
            float* to = target + i * image_values;
            std::fill_n(to, image_values, 0.0f);
            for (long k = 0; k < image_channels; ++k, from += plane, to += plane)
                each_magnified(at.top, at.left, [&](long source, long place, float weight) {
                    to[place] += weight * from[source];
                });
        }
    });
}

void magnify_adjoint(const float* of_parts, long count, std::uint64_t key, const ranks& of,
                     float* gradient) {
    parallel_chunks(count, [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            const corner at = draw_corner(key, of.place(i));
            const float* from = of_parts + i * image_values;
            float* to = gradient + i * image_values;
            for (long k = 0; k < image_channels; ++k, from += plane, to += plane)
                each_magnified(at.top, at.left, [&](long place, long part, float weight) {
                    to[place] += weight * from[part];
                });
        }
    });
}

} // namespace ffgan
