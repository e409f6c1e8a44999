// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/frechet_distance.h"

#include "base/blas.h"
#include "base/random.h"
#include "losses/sets_of_ranks.h"

#include <dlib/matrix.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace ffgan {
namespace {

constexpr long most_components = 128;
constexpr double remembered_real = 65536; // they are always drawn alike
constexpr double remembered_fakes = 4096; // the generator changes
constexpr double samples_per_component = 8;
constexpr long steps_between = 16;

// Added to all variances, which are about 1: what is smaller is noise.
constexpr double ridge = 1e-3;

using matrix = dlib::matrix<double>;

std::size_t extent(long rows, long columns) { return static_cast<std::size_t>(rows * columns); }

void read(const named_tensors& state, const std::string& name, std::vector<long> shape,
          std::vector<float>& values) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.shape != shape)
        throw missing_or_other_size(name);
    values = found->second.values;
}

// The symmetric matrix with the same eigenvectors, and these functions of its eigenvalues.
struct square_roots {
    matrix root, inverse;

    explicit square_roots(const matrix& symmetric) {
        const dlib::eigenvalue_decomposition<matrix> found(dlib::make_symmetric(symmetric));
        const matrix vectors = found.get_pseudo_v();
        const matrix roots = dlib::sqrt(dlib::lowerbound(found.get_real_eigenvalues(), 0));
        root = vectors * dlib::diagm(roots) * dlib::trans(vectors);
        // Only of what has the ridge.
        inverse = vectors * dlib::diagm(dlib::reciprocal(roots)) * dlib::trans(vectors);
    }
};

// Orthonormal columns that span the same space (Gram and Schmidt, twice for the sake of rounding).
void orthonormalise(std::vector<float>& matrix, long rows, long count) {
    std::vector<float> columns(matrix.size()); // each in one piece
    for (long i = 0; i < rows; ++i)
        for (long c = 0; c < count; ++c)
            columns[static_cast<std::size_t>(c * rows + i)] =
                matrix[static_cast<std::size_t>(i * count + c)];
    const auto product = [&](const float* x, const float* y) {
        return std::inner_product(x, x + rows, y, 0.0);
    };
    for (long c = 0; c < count; ++c) {
        float* column = columns.data() + c * rows;
        for (int pass = 0; pass < 2; ++pass)
            for (const float* before = columns.data(); before < column; before += rows) {
                const float part = static_cast<float>(product(column, before));
                for (long i = 0; i < rows; ++i)
                    column[i] -= part * before[i];
            }
        const double squares = product(column, column);
        const float factor = squares > 0 ? static_cast<float>(1 / std::sqrt(squares)) : 0;
        for (long i = 0; i < rows; ++i)
            column[i] *= factor;
    }
    for (long i = 0; i < rows; ++i)
        for (long c = 0; c < count; ++c)
            matrix[static_cast<std::size_t>(i * count + c)] =
                columns[static_cast<std::size_t>(c * rows + i)];
}

// Each row times its factor.
void multiply_rows(std::vector<float>& matrix, const std::vector<float>& factors) {
    const std::size_t columns = matrix.size() / factors.size();
    for (std::size_t i = 0; i < matrix.size(); ++i)
        matrix[i] *= factors[i / columns];
}

// basis' covariance basis, of values that are multiplied by the scales.
matrix projected(const std::vector<float>& covariance, const std::vector<float>& scales,
                 const std::vector<float>& basis, long size, long components) {
    std::vector<float> scaled(basis), half(extent(size, components)),
        result(extent(components, components));
    multiply_rows(scaled, scales);
    sgemm(false, false, size, components, size, 1, covariance.data(), size, scaled.data(),
          components, 0, half.data(), components);
    sgemm(true, false, components, components, size, 1, scaled.data(), components, half.data(),
          components, 0, result.data(), components);
    return dlib::matrix_cast<double>(dlib::mat(result.data(), components, components));
}

} // namespace

void moments::add(const float* samples, long count) {
    if (count == 0)
        return;
    mean_.resize(static_cast<std::size_t>(size_));
    covariance_.resize(extent(size_, size_));
    count_ = std::min(count_ + static_cast<double>(count), remembered_);
    const double weight = std::min(1.0, static_cast<double>(count) / count_);
    // Rows whose products with themselves are the new part of the covariance: the deviations from
    // their mean, and that of their mean from the one before.
    std::vector<float> rows(extent(count + 1, size_));
    const float of_sample = static_cast<float>(std::sqrt(weight / static_cast<double>(count)));
    const float of_mean = static_cast<float>(std::sqrt(weight * (1 - weight)));
    for (long i = 0; i < size_; ++i) {
        double sum = 0;
        for (long s = 0; s < count; ++s)
            sum += samples[s * size_ + i];
        const float average = static_cast<float>(sum / static_cast<double>(count));
        for (long s = 0; s < count; ++s)
            rows[static_cast<std::size_t>(s * size_ + i)] =
                of_sample * (samples[s * size_ + i] - average);
        float& mean = mean_[static_cast<std::size_t>(i)];
        rows[static_cast<std::size_t>(count * size_ + i)] = of_mean * (average - mean);
        mean += static_cast<float>(weight) * (average - mean);
    }
    sgemm(true, false, size_, size_, count + 1, 1, rows.data(), size_, rows.data(), size_,
          static_cast<float>(1 - weight), covariance_.data(), size_);
}

void moments::reset() {
    count_ = 0;
    mean_.clear();
    covariance_.clear();
}

void moments::add_state(const std::string& prefix, named_tensors& state) const {
    state[prefix + "count"] = scalar(count_);
    state[prefix + "mean"] = {{size_}, mean_};
    state[prefix + "covariance"] = {{size_, size_}, covariance_};
}

void moments::load_state(const std::string& prefix, const named_tensors& state) {
    count_ = read_number(state, prefix + "count");
    read(state, prefix + "mean", {size_}, mean_);
    read(state, prefix + "covariance", {size_, size_}, covariance_);
}

frechet_distance::frechet_distance(long size, scaling how)
    : size_(size), components_(std::min(size, most_components)), how_(how),
      real_(size, remembered_real), fakes_(size, remembered_fakes) {}

bool frechet_distance::enough() const {
    return std::min(real_.count(), fakes_.count()) >=
           samples_per_component * static_cast<double>(components_);
}

double frechet_distance::step(const float* real, long real_count, const float* fakes,
                              long fake_count, float* gradient) {
    real_.add(real, real_count);
    fakes_.add(fakes, fake_count);
    std::fill_n(gradient, fake_count * size_, 0.0f);
    if (enough() && (excess_.empty() || steps_ % steps_between == 0))
        compare();
    ++steps_;
    if (excess_.empty())
        return 0;

    // Each fake's way along the transport, in the components; then back.
    const float factor = static_cast<float>(2.0 / static_cast<double>(size_ * fake_count));
    std::vector<float> deviations(extent(fake_count, size_)),
        moved(extent(fake_count, components_));
    for (long s = 0; s < fake_count; ++s)
        for (long i = 0; i < size_; ++i)
            deviations[static_cast<std::size_t>(s * size_ + i)] =
                scales_[static_cast<std::size_t>(i)] *
                (fakes[s * size_ + i] - fakes_.mean()[static_cast<std::size_t>(i)]);
    const std::vector<float> ways = in_components(deviations, fake_count), offset = mean_offset();
    for (long s = 0; s < fake_count; ++s)
        std::copy(offset.begin(), offset.end(), moved.begin() + s * components_);
    sgemm(false, false, fake_count, components_, components_, 1, ways.data(), components_,
          excess_.data(), components_, 1, moved.data(), components_);
    sgemm(false, true, fake_count, size_, components_, factor, moved.data(), components_,
          basis_.data(), components_, 0, gradient, size_);
    for (long s = 0; s < fake_count; ++s)
        for (long i = 0; i < size_; ++i)
            gradient[s * size_ + i] *= scales_[static_cast<std::size_t>(i)];
    return distance_;
}

std::vector<float> frechet_distance::in_components(const std::vector<float>& scaled,
                                                   long count) const {
    std::vector<float> result(extent(count, components_));
    sgemm(false, false, count, components_, size_, 1, scaled.data(), size_, basis_.data(),
          components_, 0, result.data(), components_);
    return result;
}

std::vector<float> frechet_distance::mean_offset() const {
    std::vector<float> scaled(scales_);
    for (std::size_t i = 0; i < scaled.size(); ++i)
        scaled[i] *= fakes_.mean()[i] - real_.mean()[i];
    return in_components(scaled, 1);
}

void frechet_distance::compare() {
    const auto variance = [&](long i) -> double {
        return real_.covariance()[static_cast<std::size_t>(i * (size_ + 1))];
    };
    double sum = 0;
    for (long i = 0; i < size_; ++i)
        sum += variance(i);
    scales_.resize(static_cast<std::size_t>(size_));
    for (long i = 0; i < size_; ++i) {
        const double divisor =
            how_ == scaling::each ? variance(i) : sum / static_cast<double>(size_);
        scales_[static_cast<std::size_t>(i)] =
            divisor > 0 ? static_cast<float>(1 / std::sqrt(divisor)) : 0;
    }
    // The first components by orthogonal iteration, a round each time: all of them where there are
    // no more.
    const bool first = basis_.empty();
    basis_.resize(extent(size_, components_));
    if (components_ == size_) {
        for (long i = 0; i < size_; ++i)
            basis_[static_cast<std::size_t>(i * (size_ + 1))] = 1;
    } else {
        if (first)
            for (std::size_t i = 0; i < basis_.size(); ++i)
                basis_[i] = uniform_from(counter_random(0, 0, i)) - 0.5f;
        for (int round = 0; round < (first ? 4 : 1); ++round) {
            std::vector<float> next(basis_.size());
            multiply_rows(basis_, scales_);
            sgemm(false, false, size_, components_, size_, 1, real_.covariance().data(), size_,
                  basis_.data(), components_, 0, next.data(), components_);
            multiply_rows(next, scales_);
            basis_ = std::move(next);
            orthonormalise(basis_, size_, components_);
        }
    }

    const matrix identity = dlib::identity_matrix<double>(components_);
    const matrix of_real =
        projected(real_.covariance(), scales_, basis_, size_, components_) + ridge * identity;
    const matrix of_fakes =
        projected(fakes_.covariance(), scales_, basis_, size_, components_) + ridge * identity;
    const square_roots fakes(of_fakes);
    const square_roots between(fakes.root * of_real * fakes.root);
    // The fakes' deviations times the transport have the real ones' covariance.
    const matrix transport = fakes.inverse * between.root * fakes.inverse;
    excess_.resize(extent(components_, components_));
    for (long r = 0; r < components_; ++r)
        for (long c = 0; c < components_; ++c)
            excess_[static_cast<std::size_t>(r * components_ + c)] =
                static_cast<float>((r == c ? 1 : 0) - (transport(r, c) + transport(c, r)) / 2);

    double distance = dlib::trace(of_real) + dlib::trace(of_fakes) - 2 * dlib::trace(between.root);
    for (const float offset : mean_offset())
        distance += static_cast<double>(offset) * offset;
    distance_ = std::max(0.0f, static_cast<float>(distance / static_cast<double>(size_)));
}

// All ranks know all samples, and remember and find the same.
double frechet_distance::step_of_ranks(const float* real, const float* fakes, const ranks& all,
                                       long whole, long paired, float* gradient) {
    return all.once(step_of_all(real, fakes, all, whole, paired, size_, gradient,
                                [&](const auto&... samples) { return step(samples...); }));
}

void frechet_distance::reset() {
    steps_ = 0;
    real_.reset();
    fakes_.reset();
    scales_.clear();
    basis_.clear();
    excess_.clear();
    distance_ = 0;
}

void frechet_distance::add_state(const std::string& prefix, named_tensors& state) const {
    if (steps_ == 0 || real_.mean().empty() || fakes_.mean().empty())
        return;
    state[prefix + "steps"] = scalar(static_cast<double>(steps_));
    real_.add_state(prefix + "real.", state);
    fakes_.add_state(prefix + "fakes.", state);
    if (excess_.empty())
        return;
    state[prefix + "scales"] = {{size_}, scales_};
    state[prefix + "basis"] = {{size_, components_}, basis_};
    state[prefix + "excess"] = {{components_, components_}, excess_};
    state[prefix + "distance"] = scalar(distance_);
}

void frechet_distance::load_state(const std::string& prefix, const named_tensors& state) {
    reset();
    steps_ = read_counter(state, prefix + "steps");
    real_.load_state(prefix + "real.", state);
    fakes_.load_state(prefix + "fakes.", state);
    if (with_prefix(prefix + "excess", state).empty())
        return;
    read(state, prefix + "scales", {size_}, scales_);
    read(state, prefix + "basis", {size_, components_}, basis_);
    read(state, prefix + "excess", {components_, components_}, excess_);
    distance_ = read_number(state, prefix + "distance");
}

} // namespace ffgan
