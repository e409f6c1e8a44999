// SPDX-License-Identifier: GPL-3.0-or-later
//
// The streams of random numbers of a trainer's seed. They are part of what a resumed run must find
// again: numbers once given away keep their meaning.

#pragma once

#include "base/random.h"

namespace ffgan {

// What of a step draws random numbers, each from a stream of its own.
enum pass : std::uint64_t { real_pass, fake_pass, generator_pass, passes };
constexpr pass frozen_pass = generator_pass; // with fixed norms G has no pass of its own

inline std::uint64_t pass_key(std::uint64_t seed, std::uint64_t step, pass which) {
    return counter_random(seed, passes + 1, step * passes + which);
}

inline std::uint64_t loss_key(std::uint64_t seed, std::uint64_t step) {
    return counter_random(seed, passes + 2, step);
}

// Of the networks' first parameters.
enum start : std::uint64_t {
    generator_start,
    discriminator_start,
    frozen_start // of the first frozen network; those of the next ones follow
};

inline std::uint64_t start_key(std::uint64_t seed, std::uint64_t which) {
    return counter_random(seed, passes, which);
}

} // namespace ffgan
