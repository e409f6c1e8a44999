// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/dropout.h"

#include "base/random.h"
#include "base/threads.h"
#include "kernels/pointwise.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ffgan::layers {
namespace {

constexpr long word_bits = 64;

// f(first, last) on parts of the words of a mask of n bits.
template <class F> void for_words(long n, F&& f) {
    parallel_chunks((n + word_bits - 1) / word_bits,
                    [&](long, long first, long last) { f(first, last); });
}

} // namespace

void detail::dropout_mask(std::uint64_t key, float rate, long n, std::vector<std::uint64_t>& mask) {
    constexpr int precision = 16;
    const long drop = std::lround(static_cast<double>(rate) * (1L << precision));
    mask.resize(static_cast<std::size_t>((n + word_bits - 1) / word_bits));
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
                    counter_value(starts[digit], static_cast<std::uint64_t>(w));
                dropped = one ? dropped | word : dropped & word;
            }
            mask[static_cast<std::size_t>(w)] = ~dropped;
        }
    });
}

void detail::repeat_mask(long first, long n, std::vector<std::uint64_t>& mask) {
    const auto put = [&](long word, std::uint64_t which, std::uint64_t bits) {
        std::uint64_t& target = mask[static_cast<std::size_t>(word)];
        target = (target & ~which) | (bits & which);
    };
    const long shift = first % word_bits;
    for (long i = 0; i < n; i += word_bits) {
        const std::uint64_t bits = mask[static_cast<std::size_t>(i / word_bits)];
        const std::uint64_t which =
            n - i < word_bits ? (std::uint64_t{1} << (n - i)) - 1 : ~std::uint64_t{0};
        const long word = (first + i) / word_bits;
        put(word, which << shift, bits << shift);
        if (shift != 0 && which >> (word_bits - shift) != 0)
            put(word + 1, which >> (word_bits - shift), bits >> (word_bits - shift));
    }
}

void detail::dropout_apply(const std::vector<std::uint64_t>& mask, long n, const float* input,
                           bool add, float* output) {
    for_words(n, [&](long first, long last) {
        for (long w = first; w < last; ++w) {
            std::uint64_t bits = mask[static_cast<std::size_t>(w)];
            const long end = std::min(n, (w + 1) * word_bits);
            long i = w * word_bits;
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

void detail::dropout_scale(float factor, long n, const float* input, bool add, float* output) {
    for_words(n, [&](long first, long last) {
        const long end = std::min(n, last * word_bits);
        if (add)
            for (long i = first * word_bits; i < end; ++i)
                output[i] += factor * input[i];
        else
            for (long i = first * word_bits; i < end; ++i)
                output[i] = factor * input[i];
    });
}

void dropout::set_rate(float rate) {
    if (!(rate >= 0 && rate <= 1))
        throw std::invalid_argument("the dropout rate must be from 0 to 1, not " +
                                    std::to_string(rate));
    rate_ = rate;
}

void dropout::draw(const dlib::tensor& x) {
    if (rate_ == 0 || mode_ == mode::inference) {
        mask_.clear();
        return;
    }
    const long n = static_cast<long>(x.size());
    detail::dropout_mask(key_, rate_, n, mask_);
    if (repeated_ > 0) {
        const long repeated = repeated_ * (n / static_cast<long>(x.num_samples()));
        detail::repeat_mask(n - repeated, repeated, mask_);
    }
}

void dropout::clean() {
    mask_.clear();
#ifdef DLIB_USE_CUDA
    device_mask_.clear();
#endif
}

#ifdef DLIB_USE_CUDA

void dropout::forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
    if (rate_ == 0 && is_same_object(input, output))
        return;
    if (rate_ == 0 || mode_ == mode::inference) {
        dlib::tt::affine_transform(output, input, 1 - rate_);
        return;
    }
    draw(input);
    const long n = static_cast<long>(input.size());
    device_mask_.copy_size(input);
    float* values = device_mask_.host_write_only();
    for (long i = 0; i < n; ++i)
        values[i] = static_cast<float>(
            mask_[static_cast<std::size_t>(i / word_bits)] >> (i % word_bits) & 1);
    dlib::tt::multiply(false, output, input, device_mask_);
}

void dropout::backward_inplace(const dlib::tensor& gradient_input, dlib::tensor& data_grad,
                               dlib::tensor&) {
    const bool add = !is_same_object(gradient_input, data_grad);
    if (rate_ != 0 && mode_ == mode::training)
        dlib::tt::multiply(add, data_grad, device_mask_, gradient_input);
    else if (add)
        dlib::tt::affine_transform(data_grad, data_grad, gradient_input, 1, 1 - rate_);
    else if (rate_ != 0)
        dlib::tt::affine_transform(data_grad, gradient_input, 1 - rate_);
}

#else

void dropout::forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
    if (rate_ == 0 && is_same_object(input, output))
        return;
    const long n = static_cast<long>(input.size());
    if (rate_ == 0 || mode_ == mode::inference) {
        detail::dropout_scale(1 - rate_, n, input.host(), false, output.host());
        return;
    }
    draw(input);
    detail::dropout_apply(mask_, n, input.host(), false, output.host());
}

void dropout::backward_inplace(const dlib::tensor& gradient_input, dlib::tensor& data_grad,
                               dlib::tensor&) {
    const bool add = !is_same_object(gradient_input, data_grad);
    if (rate_ == 0 && !add)
        return;
    const long n = static_cast<long>(data_grad.size());
    if (rate_ == 0 || mode_ == mode::inference)
        detail::dropout_scale(1 - rate_, n, gradient_input.host(), add, data_grad.host());
    else
        detail::dropout_apply(mask_, n, gradient_input.host(), add, data_grad.host());
}

#endif

void serialize(const dropout& item, std::ostream& out) {
    dlib::serialize(std::string("dropout_"), out);
    dlib::serialize(item.rate_, out);
    serialize(dlib::resizable_tensor(), out);
}

void deserialize(dropout& item, std::istream& in) {
    std::string version;
    dlib::deserialize(version, in);
    if (version != "dropout_")
        throw dlib::serialization_error("expected 'dropout_' in the file, found '" + version + "'");
    float rate = 0;
    dlib::resizable_tensor mask;
    dlib::deserialize(rate, in);
    deserialize(mask, in);
    if (!(rate >= 0 && rate <= 1))
        throw dlib::serialization_error("the file's dropout rate is not from 0 to 1");
    item.rate_ = rate;
    item.clean();
}

} // namespace ffgan::layers
