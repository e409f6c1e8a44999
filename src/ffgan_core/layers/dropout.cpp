// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/dropout.h"

#include "kernels/dropout_kernels.h"
#include "kernels/norm_channels_last.h"
#include "layers/stored_values.h"

#include <stdexcept>

namespace ffgan::layers {

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
    mask_.resize(static_cast<std::size_t>(mask_words(n)));
    const long samples = static_cast<long>(x.num_samples()), size = n / samples;
    if (samples_.alone()) {
        dropout_mask(key_, rate_, n, mask_.data());
    } else {
        const long words = size / mask_word_bits;
        if (size % mask_word_bits != 0)
            throw std::logic_error("a sample's dropout mask is no whole number of words");
        for (long sample = 0; sample < samples - repeated_; ++sample)
            dropout_mask(key_, rate_, size, mask_.data() + sample * words,
                         samples_.place(sample) * words);
    }
    if (repeated_ > 0) {
        const long repeated = repeated_ * size;
        repeat_mask(n - repeated, repeated, mask_.data());
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
            mask_[static_cast<std::size_t>(i / mask_word_bits)] >> (i % mask_word_bits) & 1);
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

void dropout::draw_channels_last(const dlib::tensor& x) {
    draw(x);
    if (mask_.empty())
        return;
    const std::vector<std::uint64_t> in_planes = mask_;
    mask_channels_last(shape_of(x), in_planes.data(), mask_.data());
}

void dropout::forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
    if (rate_ == 0 && is_same_object(input, output))
        return;
    const long n = static_cast<long>(input.size());
    if (rate_ == 0 || mode_ == mode::inference) {
        dropout_scale(1 - rate_, n, input.host(), false, output.host());
        return;
    }
    draw(input);
    dropout_apply(mask_.data(), n, input.host(), false, output.host());
}

void dropout::backward_inplace(const dlib::tensor& gradient_input, dlib::tensor& data_grad,
                               dlib::tensor&) {
    const bool add = !is_same_object(gradient_input, data_grad);
    if (rate_ == 0 && !add)
        return;
    const long n = static_cast<long>(data_grad.size());
    if (rate_ == 0 || mode_ == mode::inference)
        dropout_scale(1 - rate_, n, gradient_input.host(), add, data_grad.host());
    else
        dropout_apply(mask_.data(), n, gradient_input.host(), add, data_grad.host());
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
