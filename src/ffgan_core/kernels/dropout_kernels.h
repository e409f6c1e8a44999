// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dropout's masks, one bit an element in words of 64, and what they do.

#pragma once

#include <cstdint>

namespace ffgan::layers {

// Of a mask of n bits.
constexpr long mask_word_bits = 64;
constexpr long mask_words(long n) { return (n + mask_word_bits - 1) / mask_word_bits; }

// Bit i of the words: 1 keeps element i, which happens with probability 1 - rate (to 2^-16),
// independently; a pure function of (key, i), i counted from the bits of first_word on.
void dropout_mask(std::uint64_t key, float rate, long n, std::uint64_t* mask, long first_word = 0);

// Bits first to first + n become those from 0 on; n <= first.
void repeat_mask(long first, long n, std::uint64_t* mask);

// output = (or +=) input where kept, else 0.
void dropout_apply(const std::uint64_t* mask, long n, const float* input, bool add, float* output);

// output = (or +=) factor * input.
void dropout_scale(float factor, long n, const float* input, bool add, float* output);

} // namespace ffgan::layers
