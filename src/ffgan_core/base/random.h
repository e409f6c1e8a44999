// SPDX-License-Identifier: GPL-3.0-or-later
//
// Random numbers that are a pure function of (seed, stream, index): no state to save in a
// checkpoint, and the same numbers however the work is split over threads.

#pragma once

#include <cstdint>

namespace ffgan {

constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15ULL;

// The finalising mix of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", OOPSLA 2014): a bijection of 64-bit words.
inline std::uint64_t mix64(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// Where splitmix64's sequence for a stream of a seed begins.
inline std::uint64_t counter_start(std::uint64_t seed, std::uint64_t stream) {
    return mix64(mix64(seed + golden_gamma) ^ (stream * golden_gamma));
}

// Element `index` of the sequence that begins there.
inline std::uint64_t counter_value(std::uint64_t start, std::uint64_t index) {
    return mix64(start + (index + 1) * golden_gamma);
}

// 64 uniform bits for element `index` of stream `stream` of `seed`.
inline std::uint64_t counter_random(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    return counter_value(counter_start(seed, stream), index);
}

// Uniform in [0, 1) from the top 24 bits of a word, exact in float32.
inline float uniform_from(std::uint64_t word) {
    return static_cast<float>(word >> 40) * (1.0f / 16777216.0f);
}

} // namespace ffgan
