// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/norm_kernels.h"

#include "base/threads.h"
#include "kernels/float8.h"
#include "kernels/pointwise.h"

#include <algorithm>
#include <cmath>

namespace ffgan::layers {
namespace {

// Terms summed in float32 before they join a double: short enough that their rounding stays
// below float32's own.
constexpr long block_places = 512;

// Sum over [0, n) of value(i, count), eight terms at a time, in doubles.
template <class F> double sum_eights(long n, F&& value) {
    double total = 0;
    for (long begin = 0; begin < n; begin += block_places) {
        const long end = std::min(n, begin + block_places);
        float8 even = {}, odd = {};
        long i = begin;
        for (; i + 16 <= end; i += 16) {
            even += value(i, std::integral_constant<long, 8>());
            odd += value(i + 8, std::integral_constant<long, 8>());
        }
        for (; i < end; i += 8)
            even += value(i, std::min(8L, end - i));
        total += sum8(even) + sum8(odd);
    }
    return total;
}

struct statistics {
    double mean, variance;
};

struct gradient_sums {
    double plain, centred; // of g, and of g times the norm's centred input
};

// One channel, with the parts of norm_surroundings that a loop should not ask for at each value.
template <bool Before, bool After, bool Masked> class channel_pass {
  public:
    channel_pass(const norm_shape& shape, const norm_surroundings& around, long channel)
        : shape_(shape), around_(around), channel_(channel) {}

    statistics find_statistics(const float* input) const {
        const double n = static_cast<double>(shape_.places);
        double mean = 0, squares = 0;
        for (long sample = 0; sample < shape_.samples; ++sample) {
            const float* x = input + plane(sample);
            const double plane_mean =
                sum_eights(shape_.places,
                           [&](long i, auto count) { return before(load_up_to_8(x + i, count)); }) /
                n;
            const float centre = static_cast<float>(plane_mean);
            double plane_squares = sum_eights(shape_.places, [&](long i, auto count) {
                const float8 d = first_of_8(before(load_up_to_8(x + i, count)) - centre, count);
                return d * d;
            });
            // They were taken around the mean rounded to float32.
            const double rounding = plane_mean - static_cast<double>(centre);
            plane_squares -= n * rounding * rounding;
            // Joining planes pairwise loses no digits where the mean is far from 0 (Chan, Golub,
            // LeVeque: "Updating formulae and a pairwise algorithm for computing sample variances",
            // 1979).
            const double difference = plane_mean - mean, planes = static_cast<double>(sample);
            mean += difference / (planes + 1);
            squares += plane_squares + difference * difference * n * planes / (planes + 1);
        }
        return {mean, std::max(0.0, squares / (n * static_cast<double>(shape_.samples)))};
    }

    void normalize(const float* input, float mean, float scale, float shift, float* output) const {
        for (long sample = 0; sample < shape_.samples; ++sample) {
            const long offset = plane(sample);
            const float* x = input + offset;
            float* y = output + offset;
            by_eights(shape_.places, [&](long i, auto count) {
                float8 v = scaled(before(load_up_to_8(x + i, count)) - mean, scale, shift);
                if (After)
                    v = leaky8(v, v, around_.slope_after);
                store_up_to_8(y + i, count, dropped(v, offset + i, count));
            });
        }
    }

    gradient_sums sum_gradients(const float* input, const float* gradient, float mean, float scale,
                                float shift) const {
        gradient_sums sums{0, 0};
        for (long sample = 0; sample < shape_.samples; ++sample) {
            const long offset = plane(sample);
            const float* x = input + offset;
            const float* g = gradient + offset;
            for (long begin = 0; begin < shape_.places; begin += block_places) {
                float8 plain = {}, centred = {};
                by_eights(std::min(block_places, shape_.places - begin), [&](long i, auto count) {
                    i += begin;
                    const float8 c = before(load_up_to_8(x + i, count)) - mean;
                    // Beyond the end the gradient is 0, and adds nothing.
                    const float8 d = of_norm(load_up_to_8(g + i, count), scaled(c, scale, shift),
                                             offset + i, count);
                    plain += d;
                    centred = near_multiply_add(d, c, centred);
                });
                sums.plain += sum8(plain);
                sums.centred += sum8(centred);
            }
        }
        return sums;
    }

    // scale * (g - constant - slope * centred input), g being the gradient of the norm's output.
    void spread_gradient(const float* input, const float* gradient, float mean, float scale,
                         float shift, float constant, float slope, bool add,
                         float* data_gradient) const {
        for (long sample = 0; sample < shape_.samples; ++sample) {
            const long offset = plane(sample);
            const float* x = input + offset;
            const float* g = gradient + offset;
            float* d = data_gradient + offset;
            by_eights(shape_.places, [&](long i, auto count) {
                const float8 x8 = load_up_to_8(x + i, count);
                const float8 c = before(x8) - mean;
                const float8 of_output =
                    of_norm(load_up_to_8(g + i, count), scaled(c, scale, shift), offset + i, count);
                float8 result = scale * near_multiply_add(-slope, c, of_output - constant);
                if (Before)
                    result = leaky8(x8, result, around_.slope_before);
                if (add)
                    result += load_up_to_8(d + i, count);
                store_up_to_8(d + i, count, result);
            });
        }
    }

  private:
    long plane(long sample) const { return (sample * shape_.channels + channel_) * shape_.places; }
    static float8 scaled(float8 x, float scale, float shift) {
        return near_multiply_add(scale, x, broadcast8(shift));
    }
    float8 before(float8 x) const { return Before ? leaky8(x, x, around_.slope_before) : x; }
    float8 dropped(float8 v, long index, long count) const {
        if (Masked)
            v = kept(mask_bits(around_.mask, index, count), v);
        return v * around_.factor;
    }
    // The gradient of the norm's output, whose value is `normed`.
    float8 of_norm(float8 g, float8 normed, long index, long count) const {
        g = dropped(g, index, count);
        return After ? leaky8(normed, g, around_.slope_after) : g;
    }

    const norm_shape& shape_;
    const norm_surroundings& around_;
    const long channel_;
};

// f(channel_pass, channel) for every channel, in parallel.
template <bool Before, bool After, bool Masked, class F>
void for_channels_as(const norm_shape& shape, const norm_surroundings& around, F& f) {
    parallel_chunks(shape.channels, [&](long, long begin, long end) {
        for (long channel = begin; channel < end; ++channel)
            f(channel_pass<Before, After, Masked>(shape, around, channel), channel);
    });
}

template <bool Before, bool After, class F>
void for_channels_as(const norm_shape& shape, const norm_surroundings& around, F& f) {
    if (around.mask)
        for_channels_as<Before, After, true>(shape, around, f);
    else
        for_channels_as<Before, After, false>(shape, around, f);
}

template <class F>
void for_channels(const norm_shape& shape, const norm_surroundings& around, F&& f) {
    const bool before = around.slope_before != 1, after = around.slope_after != 1;
    if (before && after)
        for_channels_as<true, true>(shape, around, f);
    else if (before)
        for_channels_as<true, false>(shape, around, f);
    else if (after)
        for_channels_as<false, true>(shape, around, f);
    else
        for_channels_as<false, false>(shape, around, f);
}

} // namespace

void channel_statistics(const norm_shape& shape, const float* input, double* means,
                        double* variances) {
    for_channels(shape, {}, [&](const auto& pass, long channel) {
        const statistics found = pass.find_statistics(input);
        means[channel] = found.mean;
        variances[channel] = found.variance;
    });
}

void normalize(const norm_shape& shape, const norm_surroundings& around, const float* input,
               const float* means, const float* scales, const float* shifts, float* output) {
    for_channels(shape, around, [&](const auto& pass, long channel) {
        pass.normalize(input, means[channel], scales[channel], shifts[channel], output);
    });
}

void normalize_batch(const norm_shape& shape, const norm_surroundings& around, double eps,
                     const float* gamma, const float* beta, const float* input, double* means,
                     double* variances, float* rounded_means, float* invstds, float* output) {
    for_channels(shape, around, [&](const auto& pass, long channel) {
        const statistics found = pass.find_statistics(input);
        means[channel] = found.mean;
        variances[channel] = found.variance;
        rounded_means[channel] = static_cast<float>(found.mean);
        invstds[channel] = static_cast<float>(1 / std::sqrt(found.variance + eps));
        pass.normalize(input, rounded_means[channel], gamma[channel] * invstds[channel],
                       beta[channel], output);
    });
}

void normalize_backward(const norm_shape& shape, const norm_surroundings& around,
                        bool batch_statistics, const float* input, const float* gradient,
                        const float* means, const float* invstds, const float* gamma,
                        const float* beta, bool add, float* data_gradient, float* gamma_gradient,
                        float* beta_gradient) {
    const double n = static_cast<double>(shape.samples) * static_cast<double>(shape.places);
    for_channels(shape, around, [&](const auto& pass, long channel) {
        const float mean = means[channel], shift = beta[channel], invstd = invstds[channel];
        const float scale = gamma[channel] * invstd;
        const gradient_sums sums = pass.sum_gradients(input, gradient, mean, scale, shift);
        beta_gradient[channel] = static_cast<float>(sums.plain);
        gamma_gradient[channel] = static_cast<float>(sums.centred * invstd);
        float constant = 0, slope = 0;
        if (batch_statistics) {
            constant = static_cast<float>(sums.plain / n);
            slope = static_cast<float>(sums.centred / n * invstd * invstd);
        }
        pass.spread_gradient(input, gradient, mean, scale, shift, constant, slope, add,
                             data_gradient);
    });
}

} // namespace ffgan::layers
