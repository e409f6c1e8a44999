// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's bn_con chooses between batch and running statistics by the batch size, updates the running
// ones at every forward pass, and computes on one thread. A GAN runs a discriminator several times
// per step and a generator on single images, so here the caller names the statistics to use.

#pragma once

#include "base/ranks.h"
#include "kernels/layer_values.h"
#include "kernels/norm_kernels.h"
#include "layers/gradient_target.h"

#include <dlib/cuda/tensor_tools.h>
#include <dlib/geometry.h>
#include <string>
#include <vector>

namespace ffgan::layers {

// Batch normalisation per channel (dlib's bn_con): parameters are gammas, then betas.
class batch_norm {
  public:
    // training: normalise by the batch's statistics and update the running ones;
    // frozen_statistics: the batch's (a single sample's over its places), running ones untouched;
    // inference: the running ones.
    enum class mode { training, frozen_statistics, inference };

    static constexpr double default_eps = 1e-4;

    explicit batch_norm(unsigned long window_size = 100, double eps = default_eps);

    void set_mode(mode value) { mode_ = value; }
    mode get_mode() const { return mode_; }

    unsigned long get_running_stats_window_size() const { return window_size_; }
    // Throws std::invalid_argument when 0.
    void set_running_stats_window_size(unsigned long window_size);
    double get_eps() const { return eps_; }

    // (1, channels); the variances are unbiased, as dlib's.
    const dlib::resizable_tensor& running_means() const { return running_means_; }
    dlib::resizable_tensor& running_means() { return running_means_; }
    const dlib::resizable_tensor& running_variances() const { return running_variances_; }
    dlib::resizable_tensor& running_variances() { return running_variances_; }

    // The batch of the next passes, whose statistics are used, is that of all ranks.
    void set_samples(const shared_samples& samples) { samples_ = samples; }

    // Batches in the running statistics, at most the window size. The next one weighs
    // 1 / (updates + 1), so 0 makes the running statistics start anew.
    unsigned long updates() const { return updates_; }
    void set_updates(unsigned long updates) { updates_ = updates; }

    double get_learning_rate_multiplier() const { return learning_rate_multiplier_; }
    double get_weight_decay_multiplier() const { return weight_decay_multiplier_; }
    void set_learning_rate_multiplier(double value) { learning_rate_multiplier_ = value; }
    void set_weight_decay_multiplier(double value) { weight_decay_multiplier_ = value; }
    double get_bias_learning_rate_multiplier() const { return bias_learning_rate_multiplier_; }
    double get_bias_weight_decay_multiplier() const { return bias_weight_decay_multiplier_; }
    void set_bias_learning_rate_multiplier(double value) { bias_learning_rate_multiplier_ = value; }
    void set_bias_weight_decay_multiplier(double value) { bias_weight_decay_multiplier_ = value; }

    dlib::dpoint map_input_to_output(const dlib::dpoint& p) const { return p; }
    dlib::dpoint map_output_to_input(const dlib::dpoint& p) const { return p; }

    template <typename Subnet> void setup(const Subnet& sub) { allocate(sub.get_output().k()); }
    template <typename Subnet> void forward(const Subnet& sub, dlib::resizable_tensor& output) {
        compute(sub.get_output(), output);
    }
    template <typename Subnet>
    void backward(const dlib::tensor& gradient_input, Subnet& sub, dlib::tensor& params_grad) {
        compute_gradient(gradient_input, sub.get_output(), gradient_of(sub), params_grad);
    }

    void compute(const dlib::tensor& input, dlib::resizable_tensor& output);
    void compute_gradient(const dlib::tensor& gradient, const dlib::tensor& input,
                          const gradient_target& data_gradient, dlib::tensor& params_gradient);
#ifndef DLIB_USE_CUDA
    // The same, together with what stands next to the norm.
    void compute(const norm_surroundings& around, const dlib::tensor& input,
                 dlib::resizable_tensor& output);
    void compute_gradient(const norm_surroundings& around, const dlib::tensor& gradient,
                          const dlib::tensor& input, const gradient_target& data_gradient,
                          dlib::tensor& params_gradient);

    // For input with the channels of a pixel side by side. Forward the values are left to whoever
    // reads them (kernels/layer_values.h); backward the gradient becomes that of the input.
    void prepare(const norm_surroundings& around, const dlib::tensor& input, pending_norm& pending);
    void compute_gradient_in_place(const pending_norm& pending, const dlib::tensor& input,
                                   dlib::tensor& gradient, dlib::tensor& params_gradient);
#endif

    const dlib::tensor& get_layer_params() const { return params_; }
    dlib::tensor& get_layer_params() { return params_; }

    friend void serialize(const batch_norm& item, std::ostream& out);
    friend void deserialize(batch_norm& item, std::istream& in);
    friend std::ostream& operator<<(std::ostream& out, const batch_norm& item);
    friend void to_xml(const batch_norm& item, std::ostream& out);

  private:
    void allocate(long channels);
    // Keeps the batch's statistics, also rounded, for the way back.
    void take_statistics(double values, const std::vector<double>& means,
                         const std::vector<double>& variances);
    // Those of a batch that ranks share, from this one's planes.
    void take_shared_statistics(const norm_shape& shape, const std::vector<double>& plane_means,
                                const std::vector<double>& plane_squares);
    // The statistics join the running ones, in training.
    void update_running(double values, const std::vector<double>& means,
                        const std::vector<double>& variances);
    shared_sums sums_over_ranks() const;
    // By the statistics of a batch that ranks share, on the host.
    void compute_shared(const norm_surroundings& around, const dlib::tensor& input,
                        dlib::resizable_tensor& output);
    void compute_shared_gradient(const norm_surroundings& around, const dlib::tensor& gradient,
                                 const dlib::tensor& input, const gradient_target& data_gradient,
                                 dlib::tensor& params_gradient);
#ifndef DLIB_USE_CUDA
    // gamma / sqrt(running variance + eps); 1 for gamma where it is null.
    std::vector<float> running_scales(const float* gamma) const;
#endif

    dlib::resizable_tensor params_;
    dlib::alias_tensor gamma_, beta_;
    dlib::resizable_tensor means_, invstds_;
    dlib::resizable_tensor running_means_, running_variances_;
    unsigned long updates_ = 0;
    unsigned long window_size_;
    double learning_rate_multiplier_ = 1;
    double weight_decay_multiplier_ = 0;
    double bias_learning_rate_multiplier_ = 1;
    double bias_weight_decay_multiplier_ = 1;
    double eps_;
    mode mode_ = mode::training;
    std::vector<float> pending_scales_; // of the last prepare()
    shared_samples samples_;
    double values_ = 0; // of a channel in the last batch that ranks share
};

} // namespace ffgan::layers
