// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's dropout draws from a generator seeded by std::rand(), so a run cannot be repeated, and it
// is always on. Here the caller sets a key before each forward pass and the mask is a pure function
// of it; inference replaces the mask by its expectation, as dlib's multiply_ does.

#pragma once

#include "base/ranks.h"

#include <cstdint>
#include <dlib/cuda/tensor_tools.h>
#include <dlib/geometry.h>
#include <string>
#include <vector>

namespace ffgan::layers {

// dlib's, with which the original trains.
constexpr float default_dropout = 0.5f;

class dropout {
  public:
    enum class mode { training, inference };

    // rate is the probability of dropping an element, 0 <= rate <= 1. Kept elements are not
    // scaled up. Throws std::invalid_argument.
    explicit dropout(float rate = default_dropout) { set_rate(rate); }

    float get_drop_rate() const { return rate_; }
    void set_rate(float rate);
    void set_mode(mode value) { mode_ = value; }
    mode get_mode() const { return mode_; }
    // Fixes the mask of the next forward pass in training. The last `repeated` samples of it take
    // those of the first ones, so that the two can be compared.
    void set_key(std::uint64_t key, long repeated = 0) {
        key_ = key;
        repeated_ = repeated;
    }
    // The masks of the next passes are this rank's of those of all samples.
    void set_samples(const shared_samples& samples) { samples_ = samples; }

    // For layers that apply the dropout in a pass of their own: draws the mask for x, in
    // training; which elements are kept (null: all); and what they are multiplied by.
    void draw(const dlib::tensor& x);
#ifndef DLIB_USE_CUDA
    // The same elements, for x with the channels of a pixel side by side.
    void draw_channels_last(const dlib::tensor& x);
#endif
    const std::uint64_t* mask() const { return mask_.empty() ? nullptr : mask_.data(); }
    float factor() const { return mode_ == mode::inference ? 1 - rate_ : 1; }

    template <typename Subnet> void setup(const Subnet&) {}
    void forward_inplace(const dlib::tensor& input, dlib::tensor& output);
    void backward_inplace(const dlib::tensor& gradient_input, dlib::tensor& data_grad,
                          dlib::tensor& params_grad);
    dlib::dpoint map_input_to_output(const dlib::dpoint& p) const { return p; }
    dlib::dpoint map_output_to_input(const dlib::dpoint& p) const { return p; }
    const dlib::tensor& get_layer_params() const { return params_; }
    dlib::tensor& get_layer_params() { return params_; }

    // Forgets the last mask, as dlib's networks do before they are saved.
    void clean();

    // dlib's format, with the empty mask that a cleaned dlib layer has.
    friend void serialize(const dropout& item, std::ostream& out);
    friend void deserialize(dropout& item, std::istream& in);
    friend std::ostream& operator<<(std::ostream& out, const dropout& item) {
        return out << "dropout\t (drop_rate=" << item.rate_ << ")";
    }
    friend void to_xml(const dropout& item, std::ostream& out) {
        out << "<dropout drop_rate='" << item.rate_ << "'/>\n";
    }

  private:
    float rate_ = default_dropout;
    mode mode_ = mode::training;
    std::uint64_t key_ = 0;
    long repeated_ = 0;
    shared_samples samples_;
    std::vector<std::uint64_t> mask_;
#ifdef DLIB_USE_CUDA
    dlib::resizable_tensor device_mask_;
#endif
    dlib::resizable_tensor params_;
};

} // namespace ffgan::layers
