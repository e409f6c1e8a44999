// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/cubic_enlargement.h"

#include "base/sizes.h"

#include <algorithm>
#include <cmath>

namespace ffgan {
namespace {

constexpr double sharpness = -0.75; // Keys's a

double kernel(double x) {
    x = std::abs(x);
    if (x <= 1)
        return ((sharpness + 2) * x - (sharpness + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * sharpness : 0;
}

} // namespace

cubic_enlargement::cubic_enlargement(long from, long to) : from_(from), to_(to) {
    const double step = static_cast<double>(from) / static_cast<double>(to);
    for (long i = 0; i < to; ++i) {
        const double place = (static_cast<double>(i) + 0.5) * step - 0.5;
        const long first = static_cast<long>(std::floor(place)) - 1;
        taps_.emplace_back();
        for (long k = 0; k < 4; ++k) {
            taps_.back().places[k] = std::clamp(first + k, 0L, from - 1); // the edge goes on
            taps_.back().weights[k] =
                static_cast<float>(kernel(place - static_cast<double>(first + k)));
        }
    }
}

void cubic_enlargement::apply(const float* plane, float* result) const {
    if (from_ == to_) {
        std::copy_n(plane, from_ * from_, result);
        return;
    }
    std::vector<float> row(count(from_));
    for (const taps& of : taps_) {
        for (long i = 0; i < from_; ++i) {
            float sum = 0;
            for (long k = 0; k < 4; ++k)
                sum += of.weights[k] * plane[of.places[k] * from_ + i];
            row[count(i)] = sum;
        }
        for (const taps& across : taps_) {
            float sum = 0;
            for (long k = 0; k < 4; ++k)
                sum += across.weights[k] * row[count(across.places[k])];
            *result++ = sum;
        }
    }
}

void cubic_enlargement::adjoint(const float* gradient, float* of_plane) const {
    if (from_ == to_) {
        std::copy_n(gradient, from_ * from_, of_plane);
        return;
    }
    std::fill_n(of_plane, from_ * from_, 0.0f);
    std::vector<float> row(count(from_));
    for (const taps& of : taps_) {
        std::fill(row.begin(), row.end(), 0.0f);
        for (const taps& across : taps_) {
            for (long k = 0; k < 4; ++k)
                row[count(across.places[k])] += across.weights[k] * *gradient;
            ++gradient;
        }
        for (long k = 0; k < 4; ++k)
            for (long i = 0; i < from_; ++i)
                of_plane[of.places[k] * from_ + i] += of.weights[k] * row[count(i)];
    }
}

} // namespace ffgan
