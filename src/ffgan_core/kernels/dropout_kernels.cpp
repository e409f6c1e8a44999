// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/dropout_kernels.h"

#include "base/random.h"
#include "base/threads.h"
#include "kernels/pointwise.h"

#include <algorithm>
#include <cmath>

namespace ffgan::layers {
namespace {

// f(first, last) on parts of the words of a mask of n bits.
template <class F> void for_words(long n, F&& f) {
    parallel_chunks(mask_words(n), [&](long, long first, long last) { f(first, last); });
}

} // namespace

void dropout_mask(std::uint64_t key, float rate, long n, std::uint64_t* mask, long first_word) {
    constexpr int precision = 16;
    const long drop = std::lround(static_cast<double>(rate) * (1L << precision));
    std::uint64_t starts[precision];
    for (int digit = 0; digit < precision; ++digit)
        starts[digit] = counter_start(key, static_cast<std::uint64_t>(digit));
    for_words(n, [&](long first, long last) {
        for (long w = first; w < last; ++w) {
            // 64 draws at once: with the binary digits of the rate from the lowest on, OR with a
            // uniform word where the digit is 1 and AND where it is 0 leaves each bit set with
            // probability `rate`.
            std::uint64_t dropped = drop >> precision ? ~std::uint64_t{0} : 0;
            for (int digit = 0; digit < precision && !(drop >> precision); ++digit) {
                const bool one = (drop >> digit) & 1;
                if (!one && (drop & ((1L << digit) - 1)) == 0)
                    continue;
                const std::uint64_t word =
                    counter_value(starts[digit], static_cast<std::uint64_t>(first_word + w));
                dropped = one ? dropped | word : dropped & word;
            }
            mask[w] = ~dropped;
        }
    });
}

void repeat_mask(long first, long n, std::uint64_t* mask) {
    const auto put = [&](long word, std::uint64_t which, std::uint64_t bits) {
        std::uint64_t& target = mask[word];
        target = (target & ~which) | (bits & which);
    };
    const long shift = first % mask_word_bits;
    for (long i = 0; i < n; i += mask_word_bits) {
        const std::uint64_t bits = mask[i / mask_word_bits];
        const std::uint64_t which =
            n - i < mask_word_bits ? (std::uint64_t{1} << (n - i)) - 1 : ~std::uint64_t{0};
        const long word = (first + i) / mask_word_bits;
        put(word, which << shift, bits << shift);
        if (shift != 0 && which >> (mask_word_bits - shift) != 0)
            put(word + 1, which >> (mask_word_bits - shift), bits >> (mask_word_bits - shift));
    }
}

void dropout_apply(const std::uint64_t* mask, long n, const float* input, bool add, float* output) {
    for_words(n, [&](long first, long last) {
        for (long w = first; w < last; ++w) {
            std::uint64_t bits = mask[w];
            const long end = std::min(n, (w + 1) * mask_word_bits);
            long i = w * mask_word_bits;
            for (; i + 8 <= end; i += 8, bits >>= 8) {
                const float8 value = kept(bits, load8(input + i));
                store8(output + i, add ? load8(output + i) + value : value);
            }
            for (; i < end; ++i, bits >>= 1) {
                const float value = bits & 1 ? input[i] : 0;
                output[i] = add ? output[i] + value : value;
            }
        }
    });
}

void dropout_scale(float factor, long n, const float* input, bool add, float* output) {
    for_words(n, [&](long first, long last) {
        const long end = std::min(n, last * mask_word_bits);
        if (add)
            for (long i = first * mask_word_bits; i < end; ++i)
                output[i] += factor * input[i];
        else
            for (long i = first * mask_word_bits; i < end; ++i)
                output[i] = factor * input[i];
    });
}

} // namespace ffgan::layers
