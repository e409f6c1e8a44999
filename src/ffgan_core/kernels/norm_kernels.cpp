// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/norm_kernels.h"

#include "base/threads.h"
#include "kernels/float8.h"
#include "kernels/pointwise.h"

#include <algorithm>
#include <cmath>
#include <vector>

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

struct plane_sums {
    double mean, squares; // around the mean
};

// Joining planes pairwise loses no digits where the mean is far from 0 (Chan, Golub, LeVeque:
// "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
class joined_planes {
  public:
    explicit joined_planes(long places) : places_(static_cast<double>(places)) {}

    void add(const plane_sums& plane) {
        const double difference = plane.mean - mean_;
        mean_ += difference / (planes_ + 1);
        squares_ += plane.squares + difference * difference * places_ * planes_ / (planes_ + 1);
        ++planes_;
    }
    statistics result() const { return {mean_, std::max(0.0, squares_ / (places_ * planes_))}; }

  private:
    double places_, planes_ = 0, mean_ = 0, squares_ = 0;
};

struct gradient_sums {
    double plain, centred; // of g, and of g times the norm's centred input
};

// One channel, with the parts of norm_surroundings that a loop should not ask for at each value.
template <bool Before, bool After, bool Masked> class channel_pass {
  public:
    channel_pass(const norm_shape& shape, const norm_surroundings& around, long channel)
        : shape_(shape), around_(around), channel_(channel) {}

    plane_sums sum_plane(const float* input, long sample) const {
        const double n = static_cast<double>(shape_.places);
        const float* x = input + plane(sample);
        const double mean =
            sum_eights(shape_.places,
                       [&](long i, auto count) { return before(load_up_to_8(x + i, count)); }) /
            n;
        const float centre = static_cast<float>(mean);
        const double squares = sum_eights(shape_.places, [&](long i, auto count) {
            const float8 d = first_of_8(before(load_up_to_8(x + i, count)) - centre, count);
            return d * d;
        });
        // They were taken around the mean rounded to float32.
        const double rounding = mean - static_cast<double>(centre);
        return {mean, squares - n * rounding * rounding};
    }

    statistics find_statistics(const float* input) const {
        joined_planes joined(shape_.places);
        for (long sample = 0; sample < shape_.samples; ++sample)
            joined.add(sum_plane(input, sample));
        return joined.result();
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

    // f(sample, block, sums) for the sums of each block of places.
    template <class F>
    void each_gradient_sum(const float* input, const float* gradient, float mean, float scale,
                           float shift, F&& f) const {
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
                f(sample, begin / block_places, gradient_sums{sum8(plain), sum8(centred)});
            }
        }
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

void plane_statistics(const norm_shape& shape, const norm_surroundings& around, const float* input,
                      double* means, double* squares) {
    for_channels(shape, around, [&](const auto& pass, long channel) {
        for (long sample = 0; sample < shape.samples; ++sample) {
            const plane_sums found = pass.sum_plane(input, sample);
            means[sample * shape.channels + channel] = found.mean;
            squares[sample * shape.channels + channel] = found.squares;
        }
    });
}

void join_planes(long samples, long channels, long places, const double* plane_means,
                 const double* plane_squares, double* means, double* variances) {
    for (long c = 0; c < channels; ++c) {
        joined_planes joined(places);
        for (long plane = c; plane < samples * channels; plane += channels)
            joined.add({plane_means[plane], plane_squares[plane]});
        const statistics found = joined.result();
        means[c] = found.mean;
        variances[c] = found.variance;
    }
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
                        float* beta_gradient, const shared_sums* shared) {
    const auto each_sum = [&](const auto& pass, long channel, auto&& f) {
        pass.each_gradient_sum(input, gradient, means[channel], gamma[channel] * invstds[channel],
                               beta[channel], f);
    };
    const auto put = [&](long channel, const gradient_sums& sums) {
        beta_gradient[channel] = static_cast<float>(sums.plain);
        gamma_gradient[channel] = static_cast<float>(sums.centred * invstds[channel]);
    };
    const auto spread = [&](const auto& pass, long channel, const gradient_sums& sums, double n) {
        const float invstd = invstds[channel];
        float constant = 0, slope = 0;
        if (batch_statistics) {
            constant = static_cast<float>(sums.plain / n);
            slope = static_cast<float>(sums.centred / n * invstd * invstd);
        }
        pass.spread_gradient(input, gradient, means[channel], gamma[channel] * invstd,
                             beta[channel], constant, slope, add, data_gradient);
    };
    if (shared == nullptr || !batch_statistics) {
        const double n = static_cast<double>(shape.samples) * static_cast<double>(shape.places);
        for_channels(shape, around, [&](const auto& pass, long channel) {
            gradient_sums sums{0, 0};
            each_sum(pass, channel, [&](long, long, const gradient_sums& part) {
                sums.plain += part.plain;
                sums.centred += part.centred;
            });
            put(channel, sums);
            spread(pass, channel, sums, n);
        });
        return;
    }
    // Of each sample and block: the plain sums, then the centred ones.
    const long channels = shape.channels;
    const long blocks = (shape.places + block_places - 1) / block_places;
    std::vector<double> parts(static_cast<std::size_t>(shape.samples * blocks * 2 * channels));
    for_channels(shape, around, [&](const auto& pass, long channel) {
        gradient_sums sums{0, 0};
        each_sum(pass, channel, [&](long sample, long block, const gradient_sums& part) {
            double* row = parts.data() + (sample * blocks + block) * 2 * channels;
            row[channel] = part.plain;
            row[channels + channel] = part.centred;
            sums.plain += part.plain;
            sums.centred += part.centred;
        });
        put(channel, sums);
    });
    std::vector<double> all(static_cast<std::size_t>(2 * channels));
    shared->add_up(shared->context, parts, blocks, 2 * channels, all.data());
    for_channels(shape, around, [&](const auto& pass, long channel) {
        const std::size_t c = static_cast<std::size_t>(channel);
        spread(pass, channel, {all[c], all[c + static_cast<std::size_t>(channels)]},
               shared->values);
    });
}

} // namespace ffgan::layers
