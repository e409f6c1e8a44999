// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/norm_channels_last.h"

#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/channel_order.h"
#include "kernels/pending.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ffgan::layers {
namespace {

// As in norm_kernels.cpp: terms summed in float32 before they join a double.
constexpr long block_places = 512;
// Channels whose values of a sample one thread keeps in the L2 cache: a cache line of each pixel.
constexpr long group_channels = 16;
// Such a line of every pixel is nothing that the processor would fetch by itself.
constexpr long places_ahead = 16;

// f(sample, first channel) for eights of channels, in parallel, those of a group together.
template <class F> void for_eights(const norm_shape& shape, const F& f) {
    const long groups = divided_up(shape.channels, group_channels);
    parallel_chunks(shape.samples * groups, [&](long, long begin, long end) {
        for (long task = begin; task < end; ++task) {
            const long sample = task / groups, first = task % groups * group_channels;
            for (long c = first; c < std::min(shape.channels, first + group_channels); c += 8)
                f(sample, c);
        }
    });
}

// The sums of the lanes that norm_kernels.cpp sums over eight neighbouring places, of each of eight
// channels, as sum8 does it.
void add_lanes(const float8 (&lanes)[8], double* sums) {
    float values[8][8];
    for (int lane = 0; lane < 8; ++lane)
        store8(values[lane], lanes[lane]);
    for (int c = 0; c < 8; ++c) {
        const auto at = [&](int lane) { return static_cast<double>(values[lane][c]); };
        sums[c] += ((at(0) + at(1)) + (at(2) + at(3))) + ((at(4) + at(5)) + (at(6) + at(7)));
    }
}

// sum_eights of norm_kernels.cpp for eight channels: value(place) gives them.
template <class F> void sum_places(long n, double* totals, const F& value) {
    for (int c = 0; c < 8; ++c)
        totals[c] = 0;
    for (long begin = 0; begin < n; begin += block_places) {
        const long end = std::min(n, begin + block_places);
        float8 even[8] = {}, odd[8] = {};
        long i = begin;
        for (; i + 16 <= end; i += 16) {
#pragma GCC unroll 8
            for (int lane = 0; lane < 8; ++lane)
                even[lane] += value(i + lane);
#pragma GCC unroll 8
            for (int lane = 0; lane < 8; ++lane)
                odd[lane] += value(i + 8 + lane);
        }
        for (int lane = 0; i < end; ++i, lane = (lane + 1) % 8)
            even[lane] += value(i);
        double of_even[8] = {}, of_odd[8] = {};
        add_lanes(even, of_even);
        add_lanes(odd, of_odd);
        for (int c = 0; c < 8; ++c)
            totals[c] += of_even[c] + of_odd[c];
    }
}

} // namespace

void statistics_channels_last(const norm_shape& shape, float slope_before, const float* input,
                              double* means, double* variances) {
    std::vector<double> plane_means(count(shape.samples * shape.channels));
    std::vector<double> plane_squares(plane_means.size());
    plane_statistics_channels_last(shape, slope_before, input, plane_means.data(),
                                   plane_squares.data());
    join_planes(shape.samples, shape.channels, shape.places, plane_means.data(),
                plane_squares.data(), means, variances);
}

void plane_statistics_channels_last(const norm_shape& shape, float slope_before, const float* input,
                                    double* plane_means, double* plane_squares) {
    const double n = static_cast<double>(shape.places);
    const long channels = shape.channels;
    for_eights(shape, [&](long sample, long c) {
        const float* x = input + sample * shape.places * channels + c;
        const auto before = [&](long i) {
            __builtin_prefetch(x + (i + places_ahead) * channels);
            const float8 v = load8(x + i * channels);
            return leaky8(v, v, slope_before);
        };
        double* mean = plane_means + sample * channels + c;
        double* squares = plane_squares + sample * channels + c;
        sum_places(shape.places, mean, before);
        float rounded[8];
        for (int k = 0; k < 8; ++k) {
            mean[k] /= n;
            rounded[k] = static_cast<float>(mean[k]);
        }
        const float8 centres = load8(rounded);
        sum_places(shape.places, squares, [&](long i) {
            const float8 d = before(i) - centres;
            return d * d;
        });
        for (int k = 0; k < 8; ++k) {
            const double rounding = mean[k] - static_cast<double>(rounded[k]);
            squares[k] -= n * rounding * rounding;
        }
    });
}

void norm_gradient_channels_last(const norm_shape& shape, const pending_norm& pending,
                                 bool batch_statistics, const float* input, const float* invstds,
                                 float* gradient, float* gamma_gradient, float* beta_gradient,
                                 const shared_sums* shared) {
    const long channels = shape.channels, blocks = divided_up(shape.places, block_places);
    const long parts = shape.samples * blocks;
    // Of each sample and block: the plain sums, then the centred ones.
    std::vector<double> sums_of_parts(count(parts * 2 * channels));
    std::vector<float> constants(count(channels)), slopes(count(channels));
    with_pending(pending, [&](const auto& of) {
        for_eights(shape, [&](long sample, long c) {
            const long first = sample * shape.places * channels + c;
            for (long block = 0; block < blocks; ++block) {
                const long begin = block * block_places;
                const long end = std::min(shape.places, begin + block_places);
                float8 plain_lanes[8] = {}, centred_lanes[8] = {};
                const auto add = [&](long i, long lane) {
                    const long index = first + i * channels;
                    __builtin_prefetch(input + index + places_ahead * channels);
                    __builtin_prefetch(gradient + index + places_ahead * channels);
                    const float8 x = of.centred(load8(input + index), c);
                    const float8 d = of.of_norm(load8(gradient + index), of.normed(x, c), index);
                    plain_lanes[lane] += d;
                    centred_lanes[lane] = near_multiply_add(d, x, centred_lanes[lane]);
                };
                long i = begin;
                for (; i + 8 <= end; i += 8)
#pragma GCC unroll 8
                    for (long lane = 0; lane < 8; ++lane)
                        add(i + lane, lane);
                for (long lane = 0; i < end; ++i, ++lane)
                    add(i, lane);
                double* part = sums_of_parts.data() + (sample * blocks + block) * 2 * channels + c;
                add_lanes(plain_lanes, part);
                add_lanes(centred_lanes, part + channels);
            }
        });
        std::vector<double> sums(count(2 * channels)); // the plain ones, the centred ones
        double *plain_sums = sums.data(), *centred_sums = plain_sums + channels;
        for (long part = 0; part < parts; ++part)
            for (long c = 0; c < 2 * channels; ++c)
                sums[count(c)] += sums_of_parts[count(part * 2 * channels + c)];
        for (long c = 0; c < channels; ++c) {
            beta_gradient[c] = static_cast<float>(plain_sums[c]);
            gamma_gradient[c] = static_cast<float>(centred_sums[c] * invstds[c]);
        }
        if (batch_statistics) {
            double n = static_cast<double>(shape.samples) * static_cast<double>(shape.places);
            if (shared != nullptr) {
                n = shared->values;
                shared->add_up(shared->context, sums_of_parts, blocks, 2 * channels, sums.data());
            }
            for (long c = 0; c < channels; ++c) {
                const float invstd = invstds[c];
                constants[count(c)] = static_cast<float>(plain_sums[c] / n);
                slopes[count(c)] = -static_cast<float>(centred_sums[c] / n * invstd * invstd);
            }
        }
        parallel_chunks(shape.samples * shape.places, [&](long, long begin, long end) {
            for (long place = begin; place < end; ++place)
                for (long c = 0; c < channels; c += 8) {
                    const long index = place * channels + c;
                    const float8 x = load8(input + index);
                    const float8 d = of.centred(x, c);
                    const float8 g = of.of_norm(load8(gradient + index), of.normed(d, c), index);
                    const float8 result = load8(pending.scales + c) *
                                          near_multiply_add(load8(slopes.data() + c), d,
                                                            g - load8(constants.data() + c));
                    store8(gradient + index, of.through_before(x, result));
                }
        });
    });
}

void activation_gradient_channels_last(const norm_shape& shape, const pending_norm& pending,
                                       const float* input, float* gradient) {
    const long eights = shape.samples * shape.places * shape.channels / 8;
    with_pending(pending, [&](const auto& of) {
        parallel_chunks(eights, [&](long, long begin, long end) {
            for (long i = 8 * begin; i < 8 * end; i += 8)
                store8(gradient + i, of.of_norm(load8(gradient + i), load8(input + i), i));
        });
    });
}

void bias_gradient_channels_last(const norm_shape& shape, const float* values, float* gradient) {
    const long channels = shape.channels, samples = shape.samples, places = shape.places;
    const long whole = places / 8 * 8;
    std::vector<double> sums(count(samples * channels));
    for_eights(shape, [&](long sample, long c) {
        const float* p = values + sample * places * channels + c;
        float8 lanes[8] = {};
        for (long i = 0; i < whole; i += 8)
#pragma GCC unroll 8
            for (long lane = 0; lane < 8; ++lane) {
                __builtin_prefetch(p + (i + lane + places_ahead) * channels);
                lanes[lane] += load8(p + (i + lane) * channels);
            }
        add_lanes(lanes, sums.data() + sample * channels + c);
    });
    for (long c = 0; c < channels; ++c) {
        double total = 0;
        for (long sample = 0; sample < samples; ++sample) {
            for (long i = whole; i < places; ++i)
                total += values[(sample * places + i) * channels + c];
            total += sums[count(sample * channels + c)];
        }
        gradient[c] = static_cast<float>(total);
    }
}

namespace {

// Bit 8 r + c becomes bit 8 c + r (Warren: "Hacker's Delight", section 7-3).
std::uint64_t transposed_bits(std::uint64_t x) {
    const auto swap = [&](int shift, std::uint64_t which) {
        const std::uint64_t t = (x ^ (x >> shift)) & which;
        x ^= t ^ (t << shift);
    };
    swap(7, 0x00AA00AA00AA00AA);
    swap(14, 0x0000CCCC0000CCCC);
    swap(28, 0x00000000F0F0F0F0);
    return x;
}

// Bit c of word r becomes bit r of word c.
void transpose_bits(std::uint64_t (&words)[64]) {
    std::uint64_t which = ~std::uint64_t{0} >> 32;
    for (int shift = 32; shift > 0; shift /= 2, which ^= which << shift)
        for (int first = 0; first < 64; first += 2 * shift)
            for (int i = first; i < first + shift; ++i) {
                const std::uint64_t t = ((words[i] >> shift) ^ words[i + shift]) & which;
                words[i] ^= t << shift;
                words[i + shift] ^= t;
            }
}

void mask_by_words(const norm_shape& shape, const std::uint64_t* from, std::uint64_t* to) {
    const long channels = shape.channels, places = shape.places;
    const long last_word = (shape.samples * channels * places - 1) / 64;
    parallel_chunks(shape.samples, [&](long, long begin, long end) {
        for (long sample = begin; sample < end; ++sample)
            for (long i = 0; i < places; i += 64)
                for (long c = 0; c < channels; c += 64) {
                    std::uint64_t words[64];
                    for (long k = 0; k < 64; ++k) {
                        const long index = (sample * channels + c + k) * places + i;
                        const long word = index / 64, bit = index % 64;
                        words[k] = from[word] >> bit;
                        if (bit > 0)
                            words[k] |= from[std::min(last_word, word + 1)] << (64 - bit);
                    }
                    transpose_bits(words);
                    for (long k = 0; k < std::min(64L, places - i); ++k)
                        to[((sample * places + i + k) * channels + c) / 64] = words[k];
                }
    });
}

} // namespace

void mask_channels_last(const norm_shape& shape, const std::uint64_t* from, std::uint64_t* to) {
    const long channels = shape.channels, places = shape.places;
    if (channels % 64 == 0) {
        mask_by_words(shape, from, to);
        return;
    }
    auto* bytes = reinterpret_cast<std::uint8_t*>(to);
    parallel_chunks(shape.samples, [&](long, long begin, long end) {
        for (long sample = begin; sample < end; ++sample)
            for (long c = 0; c < channels; c += 8)
                for (long i = 0; i < places; i += 8) {
                    const long n = std::min(8L, places - i);
                    std::uint64_t bits = 0;
                    for (long k = 0; k < 8; ++k)
                        bits |= (mask_bits(from, (sample * channels + c + k) * places + i, n) & 255)
                                << 8 * k;
                    bits = transposed_bits(bits);
                    for (long k = 0; k < n; ++k)
                        bytes[((sample * places + i + k) * channels + c) / 8] =
                            static_cast<std::uint8_t>(bits >> 8 * k);
                }
    });
}

void to_planes(const norm_shape& shape, const layer_values& from, float* to) {
    const long channels = shape.channels, size = channels * shape.places;
    parallel_chunks(shape.samples, [&](long, long begin, long end) {
        std::vector<float> ready;
        for (long sample = begin; sample < end; ++sample) {
            const float* values = from.values + sample * size;
            if (from.pending) {
                ready.resize(count(size));
                with_pending(*from.pending, [&](const auto& of) {
                    for (long place = 0; place < shape.places; ++place)
                        for (long c = 0; c < channels; c += 8) {
                            const long i = place * channels + c;
                            store8(ready.data() + i, of(load8(values + i), c, sample * size + i));
                        }
                });
                values = ready.data();
            }
            channels_last_to_planes(values, channels, channels, shape.places, false,
                                    to + sample * size, shape.places);
        }
    });
}

void from_planes(const norm_shape& shape, const float* from, float* to) {
    const long size = shape.channels * shape.places;
    parallel_chunks(shape.samples, [&](long, long begin, long end) {
        for (long sample = begin; sample < end; ++sample)
            planes_to_channels_last(from + sample * size, shape.places, shape.channels,
                                    shape.places, to + sample * size, shape.channels);
    });
}

} // namespace ffgan::layers
