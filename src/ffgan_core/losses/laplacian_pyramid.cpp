// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/laplacian_pyramid.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ffgan {
namespace {

constexpr std::array<float, 5> binomial{1 / 16.f, 4 / 16.f, 6 / 16.f, 4 / 16.f, 1 / 16.f};

long half(long n) { return (n + 1) / 2; }

// Each pass below is a linear map along rows or columns; `adjoint` runs it backwards (scattering
// where the map gathers). Together they make down = blur and drop every other, up = linear
// interpolation.

template <bool adjoint, typename large_plane, typename small_plane, typename pair_function>
void along_columns(large_plane& large, small_plane& small, const pair_function& pairs) {
    for (long r = 0; r < large.rows; ++r)
        pairs(large.columns, [&](long l, long s, float weight) {
            if constexpr (adjoint)
                large.row(r)[l] += weight * small.row(r)[s];
            else
                small.row(r)[s] += weight * large.row(r)[l];
        });
}

template <bool adjoint, typename large_plane, typename small_plane, typename pair_function>
void along_rows(large_plane& large, small_plane& small, const pair_function& pairs) {
    pairs(large.rows, [&](long l, long s, float weight) {
        auto* a = large.row(l);
        auto* b = small.row(s);
        for (long c = 0; c < large.columns; ++c)
            if constexpr (adjoint)
                a[c] += weight * b[c];
            else
                b[c] += weight * a[c];
    });
}

// The weights that tie sample s of the small axis to sample l of the large one.
const auto blur_pairs = [](long large, const auto& visit) {
    for (long s = 0; s < half(large); ++s)
        for (long k = 0; k < 5; ++k)
            visit(std::clamp(2 * s + k - 2, 0L, large - 1), s,
                  binomial[static_cast<std::size_t>(k)]);
};

const auto interpolation_pairs = [](long large, const auto& visit) {
    for (long l = 0; l < large; ++l) {
        const long s = l / 2;
        if (l % 2 == 0) {
            visit(l, s, 1.0f);
        } else {
            visit(l, s, 0.5f);
            visit(l, std::min(s + 1, half(large) - 1), 0.5f);
        }
    }
};

plane grow(const plane& y, long rows, long columns) {
    plane narrow(rows, y.columns);
    along_rows<true>(narrow, y, interpolation_pairs);
    plane result(rows, columns);
    along_columns<true>(result, narrow, interpolation_pairs);
    return result;
}

plane grow_adjoint(const plane& x) {
    plane narrow(x.rows, half(x.columns));
    along_columns<false>(x, narrow, interpolation_pairs);
    plane result(half(x.rows), narrow.columns);
    along_rows<false>(narrow, result, interpolation_pairs);
    return result;
}

} // namespace

plane shrink(const plane& x) {
    plane narrow(x.rows, half(x.columns));
    along_columns<false>(x, narrow, blur_pairs);
    plane result(half(x.rows), narrow.columns);
    along_rows<false>(narrow, result, blur_pairs);
    return result;
}

plane shrink_adjoint(const plane& y, long rows, long columns) {
    plane narrow(rows, y.columns);
    along_rows<true>(narrow, y, blur_pairs);
    plane result(rows, columns);
    along_columns<true>(result, narrow, blur_pairs);
    return result;
}

std::vector<plane> laplacian_bands(plane image, int levels) {
    std::vector<plane> bands;
    for (int i = 0; i + 1 < levels; ++i) {
        plane smaller = shrink(image);
        const plane blurred = grow(smaller, image.rows, image.columns);
        for (std::size_t j = 0; j < image.values.size(); ++j)
            image.values[j] -= blurred.values[j];
        bands.push_back(std::move(image));
        image = std::move(smaller);
    }
    bands.push_back(std::move(image));
    return bands;
}

plane laplacian_adjoint(std::vector<plane> bands) {
    plane gradient = std::move(bands.back());
    for (std::size_t i = bands.size() - 1; i-- > 0;) {
        plane& fine = bands[i];
        const plane through_blur = grow_adjoint(fine);
        for (std::size_t j = 0; j < gradient.values.size(); ++j)
            gradient.values[j] -= through_blur.values[j];
        gradient = shrink_adjoint(gradient, fine.rows, fine.columns);
        for (std::size_t j = 0; j < fine.values.size(); ++j)
            gradient.values[j] += fine.values[j];
    }
    return gradient;
}

} // namespace ffgan
