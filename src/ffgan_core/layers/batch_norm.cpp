// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/batch_norm.h"

#include "kernels/norm_channels_last.h"
#include "layers/stored_values.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace ffgan::layers {
batch_norm::batch_norm(unsigned long window_size, double eps)
    : window_size_(window_size), eps_(eps) {
    set_running_stats_window_size(window_size);
    if (!(eps > 0))
        throw std::invalid_argument("batch norm's eps must be positive, not " +
                                    std::to_string(eps));
}

void batch_norm::set_running_stats_window_size(unsigned long window_size) {
    if (window_size == 0)
        throw std::invalid_argument("batch norm's window of running statistics must not be empty");
    window_size_ = window_size;
}

void batch_norm::allocate(long channels) {
    gamma_ = dlib::alias_tensor(1, channels);
    beta_ = gamma_;
    params_.set_size(2 * channels);
    std::fill_n(params_.host_write_only(), channels, 1.0f);
    std::fill_n(params_.host() + channels, channels, 0.0f);
    running_means_.set_size(1, channels);
    running_variances_.set_size(1, channels);
    running_means_ = 0;
    running_variances_ = 1;
    updates_ = 0;
}

void batch_norm::take_statistics(double values, const std::vector<double>& means,
                                 const std::vector<double>& variances) {
    const long channels = static_cast<long>(means.size());
    means_.set_size(1, channels);
    invstds_.set_size(1, channels);
    float* rounded = means_.host_write_only();
    float* invstds = invstds_.host_write_only();
    for (std::size_t k = 0; k < means.size(); ++k) {
        rounded[k] = static_cast<float>(means[k]);
        invstds[k] = static_cast<float>(1 / std::sqrt(variances[k] + eps_));
    }
    update_running(values, means, variances);
}

void batch_norm::take_shared_statistics(const norm_shape& shape,
                                        const std::vector<double>& plane_means,
                                        const std::vector<double>& plane_squares) {
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    const std::vector<double> all_means = samples_.gather_rows(plane_means, shape.channels);
    const std::vector<double> all_squares = samples_.gather_rows(plane_squares, shape.channels);
    std::vector<double> means(channels), variances(channels);
    join_planes(samples_.total(), shape.channels, shape.places, all_means.data(),
                all_squares.data(), means.data(), variances.data());
    values_ = static_cast<double>(samples_.total()) * static_cast<double>(shape.places);
    take_statistics(values_, means, variances);
}

void batch_norm::update_running(double values, const std::vector<double>& means,
                                const std::vector<double>& variances) {
    if (mode_ != mode::training)
        return;
    const double weight = 1.0 / (static_cast<double>(updates_) + 1.0);
    updates_ = std::min(updates_ + 1, window_size_);
    const double unbiased = values > 1 ? values / (values - 1) : 1;
    float* running_mean = running_means_.host();
    float* running_variance = running_variances_.host();
    for (std::size_t k = 0; k < means.size(); ++k) {
        running_mean[k] = static_cast<float>((1 - weight) * running_mean[k] + weight * means[k]);
        running_variance[k] = static_cast<float>((1 - weight) * running_variance[k] +
                                                 weight * unbiased * variances[k]);
    }
}

shared_sums batch_norm::sums_over_ranks() const {
    return {values_,
            [](const void* samples, const std::vector<double>& parts, long rows, long length,
               double* sums) {
                const std::vector<double> all =
                    static_cast<const shared_samples*>(samples)->gather_rows(parts, rows * length);
                std::fill_n(sums, length, 0.0);
                for (std::size_t begin = 0; begin < all.size();)
                    for (long i = 0; i < length; ++i)
                        sums[i] += all[begin++];
            },
            &samples_};
}

void batch_norm::compute_shared(const norm_surroundings& around, const dlib::tensor& input,
                                dlib::resizable_tensor& output) {
    const norm_shape shape = shape_of(input);
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    output.copy_size(input);
    std::vector<double> means(static_cast<std::size_t>(shape.samples) * channels);
    std::vector<double> squares(means.size());
    plane_statistics(shape, around, input.host(), means.data(), squares.data());
    take_shared_statistics(shape, means, squares);
    const float* gamma = params_.host();
    const float* invstds = invstds_.host();
    std::vector<float> scales(channels);
    for (std::size_t k = 0; k < channels; ++k)
        scales[k] = gamma[k] * invstds[k];
    normalize(shape, around, input.host(), means_.host(), scales.data(), gamma + channels,
              output.host_write_only());
}

void batch_norm::compute_shared_gradient(const norm_surroundings& around,
                                         const dlib::tensor& gradient, const dlib::tensor& input,
                                         const gradient_target& data_gradient,
                                         dlib::tensor& params_gradient) {
    const shared_sums sums = sums_over_ranks();
    const float* gamma = params_.host();
    float* gradients = params_gradient.host();
    normalize_backward(shape_of(input), around, true, input.host(), gradient.host(), means_.host(),
                       invstds_.host(), gamma, gamma + input.k(), data_gradient.add,
                       data_gradient.values.host(), gradients, gradients + input.k(), &sums);
}

#ifdef DLIB_USE_CUDA

void batch_norm::compute(const dlib::tensor& input, dlib::resizable_tensor& output) {
    const auto gamma = gamma_(params_, 0);
    const auto beta = beta_(params_, gamma_.size());
    if (mode_ == mode::inference) {
        dlib::tt::batch_normalize_conv_inference(eps_, output, input, gamma, beta, running_means_,
                                                 running_variances_);
        return;
    }
    if (!samples_.alone()) {
        compute_shared({}, input, output); // cuDNN has no statistics of more than its own batch
        return;
    }
    // dlib refuses a batch of one; to batch norm per channel one sample of k x (rows x columns) is
    // the same as `rows` samples of k x (1 x columns), but not in memory, so such a sample is
    // normalised by statistics computed here.
    if (input.num_samples() == 1) {
        const long channels = input.k(), places = input.nr() * input.nc();
        std::vector<double> means(static_cast<std::size_t>(channels));
        std::vector<double> variances(means.size());
        channel_statistics({1, channels, places}, input.host(), means.data(), variances.data());
        means_.set_size(1, channels);
        dlib::resizable_tensor batch_variances(1, channels);
        std::copy(means.begin(), means.end(), means_.host_write_only());
        std::copy(variances.begin(), variances.end(), batch_variances.host_write_only());
        dlib::tt::batch_normalize_conv_inference(eps_, output, input, gamma, beta, means_,
                                                 batch_variances);
        return;
    }
    dlib::resizable_tensor means = running_means_, variances = running_variances_;
    const double weight = 1.0 / (static_cast<double>(updates_) + 1.0);
    dlib::tt::batch_normalize_conv(eps_, output, means_, invstds_, weight, means, variances, input,
                                   gamma, beta);
    if (mode_ == mode::training) {
        running_means_ = means;
        running_variances_ = variances;
        updates_ = std::min(updates_ + 1, window_size_);
    }
}

void batch_norm::compute_gradient(const dlib::tensor& gradient, const dlib::tensor& input,
                                  const gradient_target& data_gradient,
                                  dlib::tensor& params_gradient) {
    if (mode_ == mode::inference) {
        // cuDNN has no gradient for statistics that are constants; the host's kernel does.
        const std::size_t channels = static_cast<std::size_t>(input.k());
        const float* variances = running_variances_.host();
        std::vector<float> running_invstds;
        for (std::size_t k = 0; k < channels; ++k)
            running_invstds.push_back(static_cast<float>(1 / std::sqrt(variances[k] + eps_)));
        const float* gammas = params_.host();
        float* gradients = params_gradient.host();
        normalize_backward({static_cast<long>(input.num_samples()), static_cast<long>(channels),
                            static_cast<long>(input.nr() * input.nc())},
                           {}, false, input.host(), gradient.host(), running_means_.host(),
                           running_invstds.data(), gammas, gammas + channels, data_gradient.add,
                           data_gradient.values.host(), gradients, gradients + channels);
        return;
    }
    if (!samples_.alone()) {
        compute_shared_gradient({}, gradient, input, data_gradient, params_gradient);
        return;
    }
    if (input.num_samples() == 1)
        throw std::logic_error("batch norm on CUDA has gradients for batches of at least two "
                               "samples, normalised by their own statistics");
    const auto gamma = gamma_(params_, 0);
    auto gamma_gradient = gamma_(params_gradient, 0);
    auto beta_gradient = beta_(params_gradient, gamma_.size());
    // dlib adds, and reads the gradient after it has begun to write.
    dlib::resizable_tensor result;
    result.copy_size(input);
    result = 0;
    dlib::tt::batch_normalize_conv_gradient(eps_, gradient, means_, invstds_, input, gamma, result,
                                            gamma_gradient, beta_gradient);
    if (data_gradient.add)
        dlib::tt::add(data_gradient.values, data_gradient.values, result);
    else
        memcpy(data_gradient.values, result);
}

#else

void batch_norm::compute(const dlib::tensor& input, dlib::resizable_tensor& output) {
    compute({}, input, output);
}

void batch_norm::compute_gradient(const dlib::tensor& gradient, const dlib::tensor& input,
                                  const gradient_target& data_gradient,
                                  dlib::tensor& params_gradient) {
    compute_gradient({}, gradient, input, data_gradient, params_gradient);
}

std::vector<float> batch_norm::running_scales(const float* gamma) const {
    const float* variances = running_variances_.host();
    std::vector<float> scales(running_variances_.size());
    for (std::size_t k = 0; k < scales.size(); ++k)
        scales[k] = static_cast<float>((gamma ? gamma[k] : 1.0f) / std::sqrt(variances[k] + eps_));
    return scales;
}

void batch_norm::compute(const norm_surroundings& around, const dlib::tensor& input,
                         dlib::resizable_tensor& output) {
    const norm_shape shape = shape_of(input);
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    output.copy_size(input);
    const float* gamma = params_.host();
    const float* beta = gamma + channels;
    if (mode_ == mode::inference) {
        const std::vector<float> scales = running_scales(gamma);
        normalize(shape, around, input.host(), running_means_.host(), scales.data(), beta,
                  output.host_write_only());
        return;
    }
    if (!samples_.alone()) {
        compute_shared(around, input, output);
        return;
    }
    std::vector<double> means(channels), variances(channels);
    means_.set_size(1, shape.channels);
    invstds_.set_size(1, shape.channels);
    normalize_batch(shape, around, eps_, gamma, beta, input.host(), means.data(), variances.data(),
                    means_.host_write_only(), invstds_.host_write_only(), output.host_write_only());
    update_running(static_cast<double>(shape.samples) * static_cast<double>(shape.places), means,
                   variances);
}

void batch_norm::compute_gradient(const norm_surroundings& around, const dlib::tensor& gradient,
                                  const dlib::tensor& input, const gradient_target& data_gradient,
                                  dlib::tensor& params_gradient) {
    const bool constant = mode_ == mode::inference;
    if (!constant && !samples_.alone()) {
        compute_shared_gradient(around, gradient, input, data_gradient, params_gradient);
        return;
    }
    const std::vector<float> running_invstds = running_scales(nullptr);
    const float* gamma = params_.host();
    float* gradients = params_gradient.host();
    normalize_backward(shape_of(input), around, !constant, input.host(), gradient.host(),
                       constant ? running_means_.host() : means_.host(),
                       constant ? running_invstds.data() : invstds_.host(), gamma,
                       gamma + input.k(), data_gradient.add, data_gradient.values.host(), gradients,
                       gradients + input.k());
}

void batch_norm::prepare(const norm_surroundings& around, const dlib::tensor& input,
                         pending_norm& pending) {
    const norm_shape shape = shape_of(input);
    const std::size_t channels = static_cast<std::size_t>(shape.channels);
    const float* gamma = params_.host();
    pending.around = around;
    pending.shifts = gamma + channels;
    if (mode_ == mode::inference) {
        pending_scales_ = running_scales(gamma);
        pending.means = running_means_.host();
    } else {
        const float* x = input.host();
        if (samples_.alone()) {
            std::vector<double> means(channels), variances(channels);
            statistics_channels_last(shape, around.slope_before, x, means.data(), variances.data());
            take_statistics(static_cast<double>(shape.samples) * static_cast<double>(shape.places),
                            means, variances);
        } else {
            std::vector<double> means(static_cast<std::size_t>(shape.samples) * channels);
            std::vector<double> squares(means.size());
            plane_statistics_channels_last(shape, around.slope_before, x, means.data(),
                                           squares.data());
            take_shared_statistics(shape, means, squares);
        }
        const float* invstds = invstds_.host();
        pending_scales_.resize(channels);
        for (std::size_t k = 0; k < channels; ++k)
            pending_scales_[k] = gamma[k] * invstds[k];
        pending.means = means_.host();
    }
    pending.scales = pending_scales_.data();
}

void batch_norm::compute_gradient_in_place(const pending_norm& pending, const dlib::tensor& input,
                                           dlib::tensor& gradient, dlib::tensor& params_gradient) {
    const bool constant = mode_ == mode::inference;
    const std::vector<float> running_invstds = running_scales(nullptr);
    const float* invstds = constant ? running_invstds.data() : invstds_.host();
    const float* gamma = params_.host();
    std::vector<float> scales(running_invstds.size());
    for (std::size_t k = 0; k < scales.size(); ++k)
        scales[k] = gamma[k] * invstds[k];
    pending_norm norm = pending;
    norm.scales = scales.data();
    float* gradients = params_gradient.host();
    const shared_sums sums = sums_over_ranks();
    norm_gradient_channels_last(shape_of(input), norm, !constant, input.host(), invstds,
                                gradient.host(), gradients, gradients + input.k(),
                                samples_.alone() ? nullptr : &sums);
}

#endif

void serialize(const batch_norm& item, std::ostream& out) {
    using dlib::serialize;
    serialize(std::string("bn_con2"), out);
    serialize(item.params_, out);
    serialize(item.gamma_, out);
    serialize(item.beta_, out);
    serialize(item.means_, out);
    serialize(item.invstds_, out);
    serialize(item.running_means_, out);
    serialize(item.running_variances_, out);
    serialize(item.updates_, out);
    serialize(item.window_size_, out);
    serialize(item.learning_rate_multiplier_, out);
    serialize(item.weight_decay_multiplier_, out);
    serialize(item.bias_learning_rate_multiplier_, out);
    serialize(item.bias_weight_decay_multiplier_, out);
    serialize(item.eps_, out);
}

void deserialize(batch_norm& item, std::istream& in) {
    using dlib::deserialize;
    std::string version;
    deserialize(version, in);
    if (version != "bn_con2")
        throw dlib::serialization_error("expected 'bn_con2' in the file, found '" + version + "'");
    deserialize(item.params_, in);
    deserialize(item.gamma_, in);
    deserialize(item.beta_, in);
    deserialize(item.means_, in);
    deserialize(item.invstds_, in);
    deserialize(item.running_means_, in);
    deserialize(item.running_variances_, in);
    deserialize(item.updates_, in);
    deserialize(item.window_size_, in);
    deserialize(item.learning_rate_multiplier_, in);
    deserialize(item.weight_decay_multiplier_, in);
    deserialize(item.bias_learning_rate_multiplier_, in);
    deserialize(item.bias_weight_decay_multiplier_, in);
    deserialize(item.eps_, in);
}

std::ostream& operator<<(std::ostream& out, const batch_norm& item) {
    return out << "bn_con   eps=" << item.eps_ << " running_stats_window_size=" << item.window_size_
               << " learning_rate_mult=" << item.learning_rate_multiplier_
               << " weight_decay_mult=" << item.weight_decay_multiplier_
               << " bias_learning_rate_mult=" << item.bias_learning_rate_multiplier_
               << " bias_weight_decay_mult=" << item.bias_weight_decay_multiplier_;
}

void to_xml(const batch_norm& item, std::ostream& out) {
    out << "<bn_con eps='" << item.eps_ << "' running_stats_window_size='" << item.window_size_
        << "' learning_rate_mult='" << item.learning_rate_multiplier_ << "' weight_decay_mult='"
        << item.weight_decay_multiplier_ << "' bias_learning_rate_mult='"
        << item.bias_learning_rate_multiplier_ << "' bias_weight_decay_mult='"
        << item.bias_weight_decay_multiplier_ << "'>\n"
        << dlib::mat(item.params_) << "</bn_con>\n";
}

} // namespace ffgan::layers
