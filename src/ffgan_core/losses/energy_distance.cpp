// SPDX-License-Identifier: GPL-3.0-or-later
#include "losses/energy_distance.h"

#include "base/threads.h"
#include "losses/sets_of_ranks.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ffgan {
namespace {

constexpr long remembered = 512; // samples of each distribution

// Of a value, in its mean square: what is less is rounding.
constexpr double smallest_variance = 1e-10;

// One over the mean squared deviation of each value, and over the size: the mean square of a
// distance is then 2. Deviations count as `least` at least; without that, 0 for what is the same in
// all samples.
std::vector<float> inverse_variances(const std::vector<float>& samples, long size, double least) {
    const long count = static_cast<long>(samples.size()) / size;
    const double n = static_cast<double>(count);
    std::vector<double> sums(static_cast<std::size_t>(2 * size));
    double *sum = sums.data(), *squares = sum + size;
    for (long s = 0; s < count; ++s)
        for (long i = 0; i < size; ++i) {
            const double value = samples[static_cast<std::size_t>(s * size + i)];
            sum[i] += value;
            squares[i] += value * value;
        }
    std::vector<float> result(static_cast<std::size_t>(size));
    for (long i = 0; i < size; ++i) {
        const double found = squares[i] / n - (sum[i] / n) * (sum[i] / n);
        const double variance = std::max(found, least * least);
        if (variance > smallest_variance * squares[i] / n)
            result[static_cast<std::size_t>(i)] =
                static_cast<float>(1 / (variance * static_cast<double>(size)));
    }
    return result;
}

// The distance of x and y; adds `factor` times its derivative to the gradient. No direction leads
// away from an equal sample.
double add_distance(const float* x, const float* y, const std::vector<float>& scales, double factor,
                    float* gradient) {
    const long size = static_cast<long>(scales.size());
    const float* scale = scales.data();
    float squares = 0;
    for (long i = 0; i < size; ++i)
        squares += scale[i] * (x[i] - y[i]) * (x[i] - y[i]);
    if (squares == 0)
        return 0;
    const double distance = std::sqrt(static_cast<double>(squares));
    const float slope = static_cast<float>(factor / distance);
    for (long i = 0; i < size; ++i)
        gradient[i] += slope * scale[i] * (x[i] - y[i]);
    return distance;
}

// The mean distance of x to the samples but for number `except`.
double mean_distance(const float* x, const std::vector<float>& samples,
                     const std::vector<float>& scales, long except, double factor,
                     float* gradient) {
    const long size = static_cast<long>(scales.size());
    const long count = static_cast<long>(samples.size()) / size;
    const double others = static_cast<double>(except < 0 ? count : count - 1);
    double sum = 0;
    for (long s = 0; s < count; ++s)
        if (s != except)
            sum += add_distance(x, samples.data() + s * size, scales, factor / others, gradient);
    return sum / others;
}

void forget(std::vector<float>& samples, long size) {
    const long surplus = static_cast<long>(samples.size()) - remembered * size;
    if (surplus > 0)
        samples.erase(samples.begin(), samples.begin() + surplus);
}

// How many of `count` are every step-th from the first one on.
long stepped(long count, long first, long step) {
    return count > first ? (count - first + step - 1) / step : 0;
}

} // namespace

double energy_distance::step(const float* real, long real_count, const float* fakes,
                             long fake_count, float* gradient, const own_samples& own) {
    real_.insert(real_.end(), real, real + real_count * size_);
    fakes_.insert(fakes_.end(), fakes, fakes + fake_count * size_);
    scales_ = inverse_variances(real_, size_, least_deviation_);
    std::fill_n(gradient, fake_count * size_, 0.0f);
    const double distance = compare(real_count, fake_count, gradient, own);
    forget(real_, size_);
    forget(fakes_, size_);
    return distance;
}

// The same queue of samples at each rank, so that a checkpoint has it all; each one computes what
// its own samples have to do with it.
double energy_distance::step_of_ranks(const float* real, const float* fakes, const ranks& all,
                                      long whole, long paired, float* gradient) {
    return step_of_all(real, fakes, all, whole, paired, size_, gradient,
                       [&](const float* real_of_all, long real_count, const float* free_fakes,
                           long fake_count, float* of_free) {
                           const long first = all.place(all.own(paired)); // that is no pair's
                           return step(real_of_all, real_count, free_fakes, fake_count, of_free,
                                       {all.number(), first - paired, all.count()});
                       });
}

double energy_distance::compare(long real_count, long fake_count, float* gradient,
                                const own_samples& own) const {
    const long earlier_real = static_cast<long>(real_.size()) / size_ - real_count;
    const long earlier_fakes = static_cast<long>(fakes_.size()) / size_ - fake_count;
    if (fake_count == 0 || earlier_fakes + fake_count < 2 || earlier_real + real_count < 2)
        return 0; // nothing to compare, or nothing with its own kind
    const double n = static_cast<double>(fake_count);
    std::vector<double> of_fakes(
        static_cast<std::size_t>(stepped(fake_count, own.fakes, own.step)));
    parallel_chunks(static_cast<long>(of_fakes.size()), [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i) {
            const long k = own.fakes + i * own.step;
            const float* fake = fakes_.data() + (earlier_fakes + k) * size_;
            float* slope = gradient + k * size_;
            of_fakes[static_cast<std::size_t>(i)] =
                2 * mean_distance(fake, real_, scales_, -1, 2 / n, slope) -
                mean_distance(fake, fakes_, scales_, earlier_fakes + k, -2 / n, slope);
        }
    });
    std::vector<double> of_real(static_cast<std::size_t>(stepped(real_count, own.real, own.step)));
    parallel_chunks(static_cast<long>(of_real.size()), [&](long, long begin, long end) {
        std::vector<float> unused(static_cast<std::size_t>(size_));
        for (long i = begin; i < end; ++i) {
            const long place = earlier_real + own.real + i * own.step;
            of_real[static_cast<std::size_t>(i)] = mean_distance(
                real_.data() + place * size_, real_, scales_, place, 0, unused.data());
        }
    });
    double sum = 0;
    for (const double distance : of_fakes)
        sum += distance / n;
    for (const double distance : of_real)
        sum -= distance / static_cast<double>(real_count);
    return sum;
}

double energy_distance::add_pairs(const float* real, const float* fakes, long count, long whole,
                                  double weight, float* gradient) const {
    const double n = static_cast<double>(whole);
    double sum = 0;
    for (long i = 0; i < count; ++i)
        sum += add_distance(fakes + i * size_, real + i * size_, scales_, weight / n,
                            gradient + i * size_);
    return sum / n;
}

void energy_distance::reset() {
    real_.clear();
    fakes_.clear();
}

void energy_distance::add_state(const std::string& prefix, named_tensors& state) const {
    if (real_.empty())
        return;
    for (auto [samples, name] : {std::pair(&real_, "real"), std::pair(&fakes_, "fakes")})
        state[prefix + name] = {{static_cast<long>(samples->size()) / size_, size_}, *samples};
}

void energy_distance::load_state(const std::string& prefix, const named_tensors& state) {
    for (auto [samples, name] : {std::pair(&real_, "real"), std::pair(&fakes_, "fakes")}) {
        const auto found = state.find(prefix + name);
        if (found == state.end() || found->second.shape.size() != 2 ||
            found->second.shape[1] != size_ || found->second.shape[0] > remembered)
            throw missing_or_other_size(prefix + name);
        *samples = found->second.values;
    }
}

} // namespace ffgan
