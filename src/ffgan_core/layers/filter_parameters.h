// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a convolution and a transposed convolution have in common: one flat parameter tensor,
// filters then biases, with dlib's multipliers, and dlib's serialisation up to its version tag.

#pragma once

#include "base/random.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <dlib/cuda/tensor_tools.h>
#include <dlib/geometry.h>
#include <string>

namespace ffgan::layers {

class filter_parameters {
  public:
    double get_learning_rate_multiplier() const { return learning_rate_multiplier_; }
    double get_weight_decay_multiplier() const { return weight_decay_multiplier_; }
    // 0 also means that backward computes no parameter gradients.
    void set_learning_rate_multiplier(double value) { learning_rate_multiplier_ = value; }
    void set_weight_decay_multiplier(double value) { weight_decay_multiplier_ = value; }
    double get_bias_learning_rate_multiplier() const { return bias_learning_rate_multiplier_; }
    double get_bias_weight_decay_multiplier() const { return bias_weight_decay_multiplier_; }
    void set_bias_learning_rate_multiplier(double value) { bias_learning_rate_multiplier_ = value; }
    void set_bias_weight_decay_multiplier(double value) { bias_weight_decay_multiplier_ = value; }

    // false: backward leaves the gradient of the layer's input untouched. For the first layer of a
    // network whose input needs no gradient.
    void set_data_gradient(bool wanted) { data_gradient_ = wanted; }
    bool data_gradient() const { return data_gradient_; }

    // Seed of the initial filters; the same seed gives the same filters.
    void set_seed(std::uint64_t seed) { seed_ = seed; }

    bool bias_is_disabled() const { return !use_bias_; }

    void disable_bias() {
        if (!use_bias_)
            return;
        use_bias_ = false;
        if (params_.size() == 0)
            return;
        const dlib::resizable_tensor with_bias = params_;
        params_.set_size(static_cast<long>(filters_.size()));
        std::copy_n(with_bias.host(), params_.size(), params_.host_write_only());
        biases_ = dlib::alias_tensor();
    }

    const dlib::tensor& get_layer_params() const { return params_; }
    dlib::tensor& get_layer_params() { return params_; }

  protected:
    explicit filter_parameters(long output_channels) : output_channels_(output_channels) {}

    // Allocates (a, b, kernel, kernel) filters and zero biases; filters are uniform within the
    // bounds of Glorot and Bengio ("Understanding the difficulty of training deep feedforward
    // neural networks", AISTATS 2010, equation 16), fan-out counted as dlib counts it.
    void allocate(long a, long b, long kernel, long inputs) {
        filters_ = dlib::alias_tensor(a, b, kernel, kernel);
        const long size = static_cast<long>(filters_.size());
        params_.set_size(size + (use_bias_ ? output_channels_ : 0));
        const float bound = static_cast<float>(
            std::sqrt(6.0 / static_cast<double>(inputs * kernel * kernel + output_channels_)));
        float* values = params_.host_write_only();
        for (long i = 0; i < size; ++i) {
            const auto index = static_cast<std::uint64_t>(i);
            values[i] = bound * (2 * uniform_from(counter_random(seed_, 0, index)) - 1);
        }
        if (use_bias_) {
            biases_ = dlib::alias_tensor(1, output_channels_);
            std::fill_n(values + size, output_channels_, 0.0f);
        }
    }

    const float* filters() const { return params_.host(); }
    const float* biases() const { return use_bias_ ? params_.host() + filters_.size() : nullptr; }
    long biases_offset() const { return static_cast<long>(filters_.size()); }
    long output_channels() const { return output_channels_; }

    void write(const char* version, long kernel, int stride, int padding, std::ostream& out) const {
        using dlib::serialize;
        serialize(std::string(version), out);
        serialize(params_, out);
        serialize(output_channels_, out);
        serialize(kernel, out);
        serialize(kernel, out);
        serialize(stride, out);
        serialize(stride, out);
        serialize(padding, out);
        serialize(padding, out);
        serialize(filters_, out);
        serialize(biases_, out);
        serialize(learning_rate_multiplier_, out);
        serialize(weight_decay_multiplier_, out);
        serialize(bias_learning_rate_multiplier_, out);
        serialize(bias_weight_decay_multiplier_, out);
        serialize(use_bias_, out);
    }

    // Reads what `write` writes after the version; `has_bias_flag` is false for the oldest files.
    void read(bool has_bias_flag, long kernel, int stride, int padding, std::istream& in) {
        using dlib::deserialize;
        long rows = 0, columns = 0;
        int stride_y = 0, stride_x = 0, padding_y = 0, padding_x = 0;
        deserialize(params_, in);
        deserialize(output_channels_, in);
        deserialize(rows, in);
        deserialize(columns, in);
        deserialize(stride_y, in);
        deserialize(stride_x, in);
        deserialize(padding_y, in);
        deserialize(padding_x, in);
        deserialize(filters_, in);
        deserialize(biases_, in);
        deserialize(learning_rate_multiplier_, in);
        deserialize(weight_decay_multiplier_, in);
        deserialize(bias_learning_rate_multiplier_, in);
        deserialize(bias_weight_decay_multiplier_, in);
        use_bias_ = true;
        if (has_bias_flag)
            deserialize(use_bias_, in);
        if (rows != kernel || columns != kernel || stride_y != stride || stride_x != stride ||
            padding_y != padding || padding_x != padding)
            throw dlib::serialization_error(
                "the file's convolution has a " + std::to_string(rows) + "x" +
                std::to_string(columns) + " kernel, stride " + std::to_string(stride_y) +
                " and padding " + std::to_string(padding_y) + " where the network has " +
                std::to_string(kernel) + "x" + std::to_string(kernel) + ", " +
                std::to_string(stride) + " and " + std::to_string(padding));
    }

    void print(const char* name, long kernel, int stride, int padding, std::ostream& out) const {
        out << name << "\t (num_filters=" << output_channels_ << ", nr=" << kernel
            << ", nc=" << kernel << ", stride_y=" << stride << ", stride_x=" << stride
            << ", padding_y=" << padding << ", padding_x=" << padding << ")"
            << " learning_rate_mult=" << learning_rate_multiplier_
            << " weight_decay_mult=" << weight_decay_multiplier_;
        if (use_bias_)
            out << " bias_learning_rate_mult=" << bias_learning_rate_multiplier_
                << " bias_weight_decay_mult=" << bias_weight_decay_multiplier_;
        else
            out << " use_bias=false";
    }

    void print_xml(const char* name, const char* more_attributes, long kernel, int stride,
                   int padding, std::ostream& out) const {
        out << "<" << name << " num_filters='" << output_channels_ << "' nr='" << kernel << "' nc='"
            << kernel << "' stride_y='" << stride << "' stride_x='" << stride << "' padding_y='"
            << padding << "' padding_x='" << padding << "' learning_rate_mult='"
            << learning_rate_multiplier_ << "' weight_decay_mult='" << weight_decay_multiplier_
            << "' bias_learning_rate_mult='" << bias_learning_rate_multiplier_
            << "' bias_weight_decay_mult='" << bias_weight_decay_multiplier_ << "' use_bias='"
            << (use_bias_ ? "true" : "false") << "'" << more_attributes << ">\n"
            << dlib::mat(params_) << "</" << name << ">\n";
    }

  private:
    dlib::resizable_tensor params_;
    dlib::alias_tensor filters_, biases_;
    double learning_rate_multiplier_ = 1;
    double weight_decay_multiplier_ = 1;
    double bias_learning_rate_multiplier_ = 1;
    double bias_weight_decay_multiplier_ = 0;
    long output_channels_;
    bool use_bias_ = true;
    bool data_gradient_ = true;
    std::uint64_t seed_ = 0;
};

} // namespace ffgan::layers
