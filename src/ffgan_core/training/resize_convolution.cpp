// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/resize_convolution.h"

#include "base/threads.h"

namespace ffgan {
namespace {

constexpr long side = 4;

// What projects four values, `step` apart, onto (1, -1, 1, -1) / 2, times `share`, is subtracted.
void remove(float* v, long step, float share) {
    const float part = share * 0.25f * (v[0] - v[step] + v[2 * step] - v[3 * step]);
    v[0] -= part;
    v[step] += part;
    v[2 * step] -= part;
    v[3 * step] += part;
}

} // namespace

void remove_checkerboard(dlib::tensor& filters, long count, double share) {
    float* all = filters.host();
    const auto part = static_cast<float>(share);
    parallel_chunks(count, [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            float* kernel = all + n * side * side;
            for (long i = 0; i < side; ++i)
                remove(kernel + i * side, 1, part);
            for (long i = 0; i < side; ++i)
                remove(kernel + i, side, part);
        }
    });
}

} // namespace ffgan
