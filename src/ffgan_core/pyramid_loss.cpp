// SPDX-License-Identifier: GPL-3.0-or-later
#include "pyramid_loss.h"

#include "threads.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace ffgan {
namespace {

struct plane {
    long rows = 0, columns = 0;
    std::vector<float> values;

    plane() = default;
    plane(long r, long c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c), 0.0f) {}
    float* row(long r) { return values.data() + r * columns; }
    const float* row(long r) const { return values.data() + r * columns; }
};

constexpr std::array<float, 5> binomial{1 / 16.f, 4 / 16.f, 6 / 16.f, 4 / 16.f, 1 / 16.f};

long half(long n) { return (n + 1) / 2; }

// Each pass below is a linear map along rows or columns; `adjoint` runs it backwards (scattering
// where the map gathers). Together they make down = blur and drop every other, up = linear
// interpolation.

template <bool adjoint, typename pair_function>
void along_columns(plane& large, plane& small, const pair_function& pairs) {
    for (long r = 0; r < large.rows; ++r)
        pairs(large.columns, [&](long l, long s, float weight) {
            if (adjoint)
                large.row(r)[l] += weight * small.row(r)[s];
            else
                small.row(r)[s] += weight * large.row(r)[l];
        });
}

template <bool adjoint, typename pair_function>
void along_rows(plane& large, plane& small, const pair_function& pairs) {
    pairs(large.rows, [&](long l, long s, float weight) {
        float* a = large.row(l);
        float* b = small.row(s);
        for (long c = 0; c < large.columns; ++c)
            if (adjoint)
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

plane shrink(plane& x) {
    plane narrow(x.rows, half(x.columns));
    along_columns<false>(x, narrow, blur_pairs);
    plane result(half(x.rows), narrow.columns);
    along_rows<false>(narrow, result, blur_pairs);
    return result;
}

plane shrink_adjoint(plane& y, long rows, long columns) {
    plane narrow(rows, y.columns);
    along_rows<true>(narrow, y, blur_pairs);
    plane result(rows, columns);
    along_columns<true>(result, narrow, blur_pairs);
    return result;
}

plane grow(plane& y, long rows, long columns) {
    plane narrow(rows, y.columns);
    along_rows<true>(narrow, y, interpolation_pairs);
    plane result(rows, columns);
    along_columns<true>(result, narrow, interpolation_pairs);
    return result;
}

plane grow_adjoint(plane& x) {
    plane narrow(x.rows, half(x.columns));
    along_columns<false>(x, narrow, interpolation_pairs);
    plane result(half(x.rows), narrow.columns);
    along_rows<false>(narrow, result, interpolation_pairs);
    return result;
}

// |band|'s mean, and its derivative in place of the band.
double absolute_mean(plane& band) {
    const float scale = 1.0f / static_cast<float>(band.values.size());
    double sum = 0;
    for (float& v : band.values) {
        sum += std::abs(v);
        v = v > 0 ? scale : v < 0 ? -scale : 0.0f;
    }
    return sum * scale;
}

// The pyramid is linear, so the bands of a difference are the differences of the bands.
double plane_loss(plane& difference, plane& gradient, int skipped) {
    std::vector<plane> bands; // fine to coarse
    double loss = 0;
    plane level = std::move(difference);
    for (int i = 0; i + 1 < pyramid_levels; ++i) {
        plane smaller = shrink(level);
        const plane blurred = grow(smaller, level.rows, level.columns);
        for (std::size_t j = 0; j < level.values.size(); ++j)
            level.values[j] -= blurred.values[j];
        bands.push_back(std::move(level));
        level = std::move(smaller);
    }
    bands.push_back(std::move(level));
    for (int i = 0; i < pyramid_levels; ++i) {
        plane& band = bands[static_cast<std::size_t>(i)];
        if (i < skipped)
            std::fill(band.values.begin(), band.values.end(), 0.0f);
        else
            loss += absolute_mean(band);
    }

    gradient = std::move(bands.back());
    for (int i = pyramid_levels - 2; i >= 0; --i) {
        plane& fine = bands[static_cast<std::size_t>(i)];
        const plane through_blur = grow_adjoint(fine);
        for (std::size_t j = 0; j < gradient.values.size(); ++j)
            gradient.values[j] -= through_blur.values[j];
        gradient = shrink_adjoint(gradient, fine.rows, fine.columns);
        for (std::size_t j = 0; j < fine.values.size(); ++j)
            gradient.values[j] += fine.values[j];
    }
    return loss;
}

} // namespace

double pyramid_loss(const dlib::tensor& images, const dlib::tensor& targets,
                    dlib::resizable_tensor& gradient, int skipped) {
    if (!dlib::have_same_dimensions(images, targets) || images.size() == 0)
        throw std::invalid_argument("pyramid_loss compares batches of one shape");
    if (skipped < 0 || skipped >= pyramid_levels)
        throw std::invalid_argument("pyramid_loss skips from 0 to " +
                                    std::to_string(pyramid_levels - 1) + " levels");
    gradient.copy_size(images);
    const long planes = static_cast<long>(images.num_samples() * images.k());
    const long rows = images.nr(), columns = images.nc(), size = rows * columns;
    const float* x = images.host();
    const float* y = targets.host();
    float* g = gradient.host_write_only();
    std::vector<double> losses(static_cast<std::size_t>(planes));
    parallel_chunks(planes, [&](long, long begin, long end) {
        plane derivative;
        for (long p = begin; p < end; ++p) {
            plane difference(rows, columns);
            for (long i = 0; i < size; ++i)
                difference.values[static_cast<std::size_t>(i)] = x[p * size + i] - y[p * size + i];
            losses[static_cast<std::size_t>(p)] = plane_loss(difference, derivative, skipped);
            for (long i = 0; i < size; ++i)
                g[p * size + i] =
                    derivative.values[static_cast<std::size_t>(i)] / static_cast<float>(planes);
        }
    });
    double sum = 0; // in a fixed order, whatever the number of threads
    for (const double loss : losses)
        sum += loss;
    return sum / static_cast<double>(planes);
}

} // namespace ffgan
