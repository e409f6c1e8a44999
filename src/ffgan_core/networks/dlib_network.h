// SPDX-License-Identifier: GPL-3.0-or-later
//
// The interface of network.h on a dlib network, whatever its type. Include this header in few
// files: it is long to compile.

#pragma once

#include "base/device.h"
#include "base/random.h"
#include "networks/architecture.h"
#include "networks/layer_kinds.h"
#include "networks/network.h"

#ifdef DLIB_USE_CUDA
#include "networks/dlib_pass.h"
#else
#include "networks/host_pass.h"
#endif

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace ffgan::detail {

// ---- Names and shapes of a layer's parameters ---------------------------------------------------

struct slice {
    std::string name;
    std::vector<long> shape;
    dlib::tensor* owner;
    long offset;   // into the owner's values
    long fans = 0; // of weights: inputs and outputs of one unit, added as dlib adds them
    bool starts_at_one = false;

    long size() const {
        return std::accumulate(shape.begin(), shape.end(), 1L, std::multiplies<>());
    }
};

template <typename details> std::vector<slice> slices(details& layer, const std::string& name) {
    std::vector<slice> result;
    if constexpr (is_norm<details>) {
        layers::batch_norm& norm = layer.norm();
        dlib::tensor& scale_and_shift = norm.get_layer_params();
        const long channels = static_cast<long>(scale_and_shift.size()) / 2;
        result.push_back({name + ".weight", {channels}, &scale_and_shift, 0, 0, true});
        result.push_back({name + ".bias", {channels}, &scale_and_shift, channels});
        result.push_back({name + ".running_mean", {channels}, &norm.running_means(), 0});
        result.push_back(
            {name + ".running_var", {channels}, &norm.running_variances(), 0, 0, true});
    } else if constexpr (has_weights<details>) {
        dlib::tensor& params = layer.get_layer_params();
        const long total = static_cast<long>(params.size());
        long biases = 0;
        std::vector<long> shape;
        long fans = 0;
        if constexpr (is_fully_connected<details>::value) {
            biases = static_cast<long>(layer.get_num_outputs());
            shape = {biases, total / biases - 1};
            fans = shape[0] + shape[1];
        } else {
            const long filters = layer.num_filters();
            biases = layer.bias_is_disabled() ? 0 : filters;
            const long inputs = (total - biases) / (filters * layer.nr() * layer.nc());
            if (is_convolution<details>::value)
                shape = {filters, inputs, layer.nr(), layer.nc()};
            else
                shape = {inputs, filters, layer.nr(), layer.nc()};
            fans = layer.nr() * layer.nc() * inputs + filters;
        }
        result.push_back({name + ".weight", shape, &params, 0, fans});
        if (biases > 0)
            result.push_back({name + ".bias", {biases}, &params, total - biases});
    }
    return result;
}

// conv1, norm1, conv2, ..., fc: a norm has the number of the convolution before it.
class layer_names {
  public:
    template <typename details> std::string next() {
        if (is_fully_connected<details>::value)
            return "fc";
        if (has_weights<details>)
            return "conv" + std::to_string(++convolutions_);
        if (is_norm<details>)
            return "norm" + std::to_string(convolutions_);
        return "";
    }

  private:
    int convolutions_ = 0;
};

// A bias below a batch norm does nothing: the norm subtracts it again.
template <typename layer> void disable_biases_below_norms(layer& top) {
    if constexpr (!reads_the_input<layer>) {
        if constexpr (is_norm<details_of<layer>>)
            if constexpr (details_of<layer>::starts_with_norm)
                top.subnet().layer_details().disable_bias();
        disable_biases_below_norms(top.subnet());
    }
}

// ---- The interface on a dlib network ------------------------------------------------------------

template <typename net_type> class dlib_network final : public network {
  public:
    dlib_network() {
        disable_biases_below_norms(net_);
        // dlib allocates the parameters in the first forward pass.
        const int one = 0;
        dlib::resizable_tensor x;
        net_.to_tensor(&one, &one + 1, x);
        set_mode(mode::inference);
        net_.forward(x);
#ifndef DLIB_USE_CUDA
        pass_.measure(net_, x);
#endif
        net_.clean();
    }

#ifdef DLIB_USE_CUDA
    const dlib::tensor& forward(const dlib::tensor& x) override {
        need_device();
        net_.forward(x);
        return net_.get_output();
    }

    const dlib::tensor& forward(const dlib::tensor& x, gradient_memory&) override {
        return forward(x);
    }

    dlib::tensor& backward(const dlib::tensor& x, dlib::tensor& gradient,
                           gradient_memory& memory) override {
        return backward_through(net_, net_.get_output(), x, gradient, memory, listener_);
    }

    void set_images_with_gradient(image_range) override {} // dlib gives all

    void set_gradient_listener(gradient_listener* listener) override { listener_ = listener; }

    void release_memory() override { net_.clean(); }
#else
    const dlib::tensor& forward(const dlib::tensor& x) override {
        return pass_.forward(net_, x, nullptr);
    }

    const dlib::tensor& forward(const dlib::tensor& x, gradient_memory& memory) override {
        return pass_.forward(net_, x, &memory);
    }

    dlib::tensor& backward(const dlib::tensor& x, dlib::tensor& gradient,
                           gradient_memory& memory) override {
        return pass_.backward(net_, x, gradient, memory);
    }

    void set_images_with_gradient(image_range images) override {
        pass_.set_images_with_gradient(images);
    }

    void set_gradient_listener(gradient_listener* listener) override {
        pass_.set_gradient_listener(listener);
    }

    void release_memory() override { pass_.release(); }
#endif

    void set_mode(mode m) override {
        using norm_mode = layers::batch_norm::mode;
        using dropout_mode = layers::dropout::mode;
        each([m](auto& layer) {
            using details = details_of<decltype(layer)>;
            if constexpr (is_norm<details>)
                layer.layer_details().norm().set_mode(m == mode::training ? norm_mode::training
                                                      : m == mode::frozen_statistics
                                                          ? norm_mode::frozen_statistics
                                                          : norm_mode::inference);
            if constexpr (is_norm<details> || has_dropout<details>)
                layer.layer_details().dropout().set_mode(
                    m == mode::inference ? dropout_mode::inference : dropout_mode::training);
        });
    }

    void set_dropout(float rate) override {
        each([rate](auto& layer) {
            if constexpr (has_dropout<details_of<decltype(layer)>>)
                layer.layer_details().dropout().set_rate(rate);
        });
    }

    void set_samples(const shared_samples& samples) override {
        each([&](auto& layer) {
            using details = details_of<decltype(layer)>;
            if constexpr (is_norm<details>)
                layer.layer_details().norm().set_samples(samples);
            if constexpr (has_dropout<details>)
                layer.layer_details().dropout().set_samples(samples);
        });
    }

    void set_dropout_key(std::uint64_t key, long repeated) override {
        std::uint64_t index = 0;
        each([&](auto& layer) {
            if constexpr (has_dropout<details_of<decltype(layer)>>)
                layer.layer_details().dropout().set_key(counter_random(key, index++, 0), repeated);
        });
    }

    void set_parameter_gradients(bool wanted) override {
        each([wanted](auto& layer) {
            if constexpr (has_weights<details_of<decltype(layer)>>)
                layer.layer_details().set_learning_rate_multiplier(wanted ? 1 : 0);
        });
    }

    void set_data_gradient(bool wanted) override {
        each([wanted](auto& layer) {
            using details = details_of<decltype(layer)>;
            if constexpr (reads_the_input<decltype(layer)> &&
                          (is_convolution<details>::value ||
                           is_transposed_convolution<details>::value))
                layer.layer_details().set_data_gradient(wanted);
        });
    }

    unsigned long statistics_updates() const override {
        unsigned long updates = 0;
        auto visit = [&](const auto& layer) {
            if constexpr (is_norm<details_of<decltype(layer)>>)
                updates = layer.layer_details().norm().updates();
        };
        walk(net_, visit);
        return updates;
    }

    void set_statistics_updates(unsigned long updates) override {
        each([updates](auto& layer) {
            if constexpr (is_norm<details_of<decltype(layer)>>)
                layer.layer_details().norm().set_updates(updates);
        });
    }

    std::vector<layer_parameters> parameter_tensors() override {
        std::vector<layer_parameters> result;
        layer_names names;
        each([&](auto& layer) {
            using details = details_of<decltype(layer)>;
            const std::string name = names.next<details>();
            if constexpr (has_weights<details> || is_norm<details>)
                result.push_back({name, &layer.layer_details().get_layer_params(),
                                  &layer.get_parameter_gradient()});
        });
        return result;
    }

    named_tensors parameters() override {
        named_tensors result;
        for (const slice& s : all_slices()) {
            const float* values = s.owner->host() + s.offset;
            result[s.name] = {s.shape, {values, values + s.size()}};
        }
        return result;
    }

    named_tensors gradients() override {
        named_tensors result;
        layer_names names;
        each([&](auto& layer) {
            auto& details = layer.layer_details();
            const std::string name = names.next<details_of<decltype(layer)>>();
            const dlib::tensor& gradient = layer.get_parameter_gradient();
            for (const slice& s : slices(details, name))
                if (s.owner == &details.get_layer_params() && gradient.size() > 0) {
                    const float* values = gradient.host() + s.offset;
                    result[s.name] = {s.shape, {values, values + s.size()}};
                }
        });
        return result;
    }

    void set_parameters(const named_tensors& parameters) override {
        const std::vector<slice> wanted = all_slices();
        std::map<std::string, std::vector<long>> shapes;
        for (const slice& s : wanted)
            shapes[s.name] = s.shape;
        check_parameters(shapes, parameters);
        for (const slice& s : wanted) {
            const std::vector<float>& values = parameters.at(s.name).values;
            std::copy(values.begin(), values.end(), s.owner->host() + s.offset);
        }
    }

    void initialise(std::uint64_t seed) override {
        dlib::rand random;
        random.set_seed(std::to_string(seed));
        for (const slice& s : all_slices()) {
            float* values = s.owner->host() + s.offset;
            if (s.fans > 0) {
                const double limit = std::sqrt(6.0 / static_cast<double>(s.fans));
                for (long i = 0; i < s.size(); ++i)
                    values[i] = static_cast<float>((2.0 * random.get_random_float() - 1.0) * limit);
            } else {
                std::fill(values, values + s.size(), s.starts_at_one ? 1.0f : 0.0f);
            }
        }
        set_statistics_updates(0);
    }

    std::vector<layer_row> rows() override {
        const int one = 0;
        dlib::resizable_tensor x;
        net_.to_tensor(&one, &one + 1, x);
        set_mode(mode::inference);
        net_.forward(x);

        std::vector<layer_row> result;
        layer_names names;
        long input_pixels = x.nr() * x.nc();
        auto visit = [&](auto& layer, const dlib::tensor& output) {
            using details = details_of<decltype(layer)>;
            const std::string name = names.next<details>();
            if constexpr (has_weights<details> || is_norm<details>) {
                const long pixels = output.nr() * output.nc();
                layer_row row;
                row.name = name;
                row.shape = {output.nr(), output.nc(), output.k()};
                row.parameters = static_cast<long>(layer.layer_details().get_layer_params().size());
                if constexpr (has_weights<details>) {
                    // Each weight meets each output pixel, of a transposed convolution each input
                    // pixel; the positions in the zero padding are counted too, as is customary.
                    const long weights = slices(layer.layer_details(), name).front().size();
                    const bool transposed = is_transposed_convolution<details>::value;
                    row.multiply_adds = weights * (transposed ? input_pixels : pixels);
                }
                input_pixels = pixels;
                result.push_back(row);
            }
        };
        walk_with_output(net_, net_.get_output(), visit);
        net_.clean();
        return result;
    }

  private:
    template <typename visitor> void each(visitor&& visit) { walk(net_, visit); }

    std::vector<slice> all_slices() {
        std::vector<slice> result;
        layer_names names;
        each([&](auto& layer) {
            using details = details_of<decltype(layer)>;
            const std::string name = names.next<details>();
            for (slice& s : slices(layer.layer_details(), name))
                result.push_back(std::move(s));
        });
        return result;
    }

    net_type net_;
#ifdef DLIB_USE_CUDA
    gradient_listener* listener_ = nullptr;
#else
    host_pass<net_type> pass_;
#endif
};

} // namespace ffgan::detail
