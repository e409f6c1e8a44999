// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/augment.h"

#include "base/random.h"
#include "base/threads.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace ffgan {
namespace {

// The ranges of the paper's code, for pixels in [0, 1] instead of its [-1, 1].
constexpr float brightness_range = 0.25f; // +-
constexpr float saturation_range = 1.0f;  // 1 +-
constexpr float contrast_range = 0.5f;    // 1 +-

double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

long integer(std::uint64_t bits, long low, long high) {
    return low + static_cast<long>(unit(bits) * static_cast<double>(high - low + 1));
}

// x <- s x + (1 - s) mean over the channels, per pixel: its own adjoint.
void saturate(float* image, long pixels, float s) {
    float* red = image;
    float* green = image + pixels;
    float* blue = image + 2 * pixels;
    for (long i = 0; i < pixels; ++i) {
        const float rest = (1 - s) * (red[i] + green[i] + blue[i]) / 3;
        red[i] = s * red[i] + rest;
        green[i] = s * green[i] + rest;
        blue[i] = s * blue[i] + rest;
    }
}

// x <- c x + (1 - c) mean over the image: its own adjoint.
void contrast(float* image, long values, float c) {
    double sum = 0;
    for (long i = 0; i < values; ++i)
        sum += image[i];
    const float rest = (1 - c) * static_cast<float>(sum / static_cast<double>(values));
    for (long i = 0; i < values; ++i)
        image[i] = c * image[i] + rest;
}

void translate(float* plane, long rows, long columns, long down, long right, float fill,
               std::vector<float>& scratch) {
    scratch.assign(plane, plane + rows * columns);
    std::fill(plane, plane + rows * columns, fill);
    const long first = std::max(0L, right);
    const long last = std::min(columns, columns + right);
    for (long r = std::max(0L, down); r < std::min(rows, rows + down); ++r)
        std::memcpy(plane + r * columns + first, &scratch[(r - down) * columns + first - right],
                    sizeof(float) * static_cast<std::size_t>(std::max(0L, last - first)));
}

void check_channels(const dlib::tensor& images, std::size_t draws) {
    if (images.k() != 3 || images.num_samples() != static_cast<long long>(draws))
        throw std::invalid_argument("augmentation was drawn for another batch");
}

} // namespace

augmentation::augmentation(const augment_policy& policy, std::uint64_t key, long samples, long rows,
                           long columns, const ranks& all)
    : policy_(policy), draws_(static_cast<std::size_t>(samples)) {
    if (policy.translation < 0 || policy.translation >= std::min(rows, columns))
        throw std::invalid_argument("translation is not smaller than the image");
    if (policy.cutout < 0 || policy.cutout > std::min(rows, columns))
        throw std::invalid_argument("cutout is larger than the image");
    for (long n = 0; n < samples; ++n) {
        std::uint64_t index = 0;
        auto bits = [&] {
            return counter_random(key, static_cast<std::uint64_t>(all.place(n)), index++);
        };
        auto around = [&](float centre, float range) {
            return centre + range * static_cast<float>(2 * unit(bits()) - 1);
        };
        draw& d = draws_[static_cast<std::size_t>(n)];
        d.brightness = around(0, brightness_range);
        d.saturation = around(1, saturation_range);
        d.contrast = around(1, contrast_range);
        d.down = integer(bits(), -policy.translation, policy.translation);
        d.right = integer(bits(), -policy.translation, policy.translation);
        const long top = integer(bits(), 0, rows - 1) - policy.cutout / 2;
        const long left = integer(bits(), 0, columns - 1) - policy.cutout / 2;
        d.top = std::max(0L, top);
        d.left = std::max(0L, left);
        d.bottom = std::min(rows, top + policy.cutout);
        d.far_right = std::min(columns, left + policy.cutout);
        if (unit(bits()) >= policy.share)
            d = {0, 1, 1, 0, 0, 0, 0, 0, 0};
    }
}

void augmentation::apply(dlib::tensor& images, float grey) const {
    check_channels(images, draws_.size());
    const long rows = images.nr(), columns = images.nc(), pixels = rows * columns;
    float* all = images.host();
    parallel_chunks(static_cast<long>(draws_.size()), [&](long, long begin, long end) {
        std::vector<float> scratch;
        for (long n = begin; n < end; ++n) {
            const draw& d = draws_[static_cast<std::size_t>(n)];
            float* image = all + n * 3 * pixels;
            if (policy_.colour) {
                for (long i = 0; i < 3 * pixels; ++i)
                    image[i] += d.brightness;
                saturate(image, pixels, d.saturation);
                contrast(image, 3 * pixels, d.contrast);
            }
            for (float* plane = image; plane < image + 3 * pixels; plane += pixels) {
                if (d.down != 0 || d.right != 0)
                    translate(plane, rows, columns, d.down, d.right, grey, scratch);
                for (long r = d.top; r < d.bottom; ++r)
                    std::fill(plane + r * columns + d.left, plane + r * columns + d.far_right,
                              grey);
            }
        }
    });
}

void augmentation::adjoint(dlib::tensor& gradient) const {
    check_channels(gradient, draws_.size());
    const long rows = gradient.nr(), columns = gradient.nc(), pixels = rows * columns;
    float* all = gradient.host();
    parallel_chunks(static_cast<long>(draws_.size()), [&](long, long begin, long end) {
        std::vector<float> scratch;
        for (long n = begin; n < end; ++n) {
            const draw& d = draws_[static_cast<std::size_t>(n)];
            float* image = all + n * 3 * pixels;
            for (float* plane = image; plane < image + 3 * pixels; plane += pixels) {
                for (long r = d.top; r < d.bottom; ++r)
                    std::fill(plane + r * columns + d.left, plane + r * columns + d.far_right,
                              0.0f);
                if (d.down != 0 || d.right != 0)
                    translate(plane, rows, columns, -d.down, -d.right, 0.0f, scratch);
            }
            if (policy_.colour) {
                contrast(image, 3 * pixels, d.contrast);
                saturate(image, pixels, d.saturation);
            }
        }
    });
}

} // namespace ffgan
