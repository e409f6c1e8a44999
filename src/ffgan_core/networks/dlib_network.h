// SPDX-License-Identifier: GPL-3.0-or-later
//
// The interface of network.h on a dlib network, whatever its type. Include this header in few
// files: it is long to compile.

#pragma once

#include "base/device.h"
#include "base/random.h"
#include "networks/architecture.h"
#include "networks/network.h"
#include "networks/networks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <type_traits>
#include <utility>

namespace ffgan::detail {

// ---- What kind of layer -------------------------------------------------------------------------

template <typename T> struct is_convolution : std::false_type {};
template <long f, long k, int s, int p>
struct is_convolution<layers::convolution<f, k, s, p>> : std::true_type {};

template <typename T> struct is_transposed_convolution : std::false_type {};
template <long f, long k, int s, int p>
struct is_transposed_convolution<layers::transposed_convolution<f, k, s, p>> : std::true_type {};

template <typename T> struct is_fully_connected : std::false_type {};
template <unsigned long n, dlib::fc_bias_mode m>
struct is_fully_connected<dlib::fc_<n, m>> : std::true_type {};

template <typename T>
constexpr bool has_weights =
    is_convolution<T>::value || is_transposed_convolution<T>::value || is_fully_connected<T>::value;
template <typename T> constexpr bool is_norm = std::is_base_of_v<layers::activated_norm, T>;

template <typename T>
constexpr bool has_dropout = std::is_same_v<T, layers::leaky_relu_dropout> ||
                             (is_norm<T> && !std::is_same_v<T, layers::norm_relu>);

template <typename layer>
using details_of = std::decay_t<decltype(std::declval<layer&>().layer_details())>;

template <typename layer>
constexpr bool reads_the_input =
    !dlib::is_nonloss_layer_type<typename std::decay_t<layer>::subnet_type>::value;

// Whether the layer writes its output over its input, which dlib then hides.
template <typename T> constexpr bool is_in_place = !has_weights<T> && !is_norm<T>;

// Calls visit(layer) from the layer next to the input up to the output.
template <typename layer, typename visitor> void walk(layer& top, visitor& visit) {
    if constexpr (!reads_the_input<layer>)
        walk(top.subnet(), visit);
    visit(top);
}

// What `top` read, given what it wrote and the network's input.
template <typename layer>
const dlib::tensor& input_of(layer& top, const dlib::tensor& output, const dlib::tensor& x) {
    if constexpr (is_in_place<details_of<layer>>)
        return output;
    else if constexpr (reads_the_input<layer>)
        return x;
    else
        return top.subnet().get_output();
}

// As walk, with each layer's output.
template <typename layer, typename visitor>
void walk_with_output(layer& top, const dlib::tensor& output, visitor& visit) {
    if constexpr (!reads_the_input<layer>)
        walk_with_output(top.subnet(), input_of(top, output, output), visit);
    visit(top, output);
}

// ---- The backward pass --------------------------------------------------------------------------
// dlib's own keeps a gradient for every layer, and zeroes each before a layer adds to it.

// What a layer sees of the layer below it.
class layer_below {
  public:
    layer_below(const dlib::tensor& output, dlib::resizable_tensor& gradient)
        : output_(output), gradient_(gradient) {}
    const dlib::tensor& get_output() const { return output_; }
    dlib::tensor& gradient_to_overwrite() {
        gradient_.copy_size(output_);
        return gradient_;
    }
    // For dlib's layers, which add to it.
    dlib::tensor& get_gradient_input() {
        gradient_to_overwrite() = 0;
        return gradient_;
    }

  private:
    const dlib::tensor& output_;
    dlib::resizable_tensor& gradient_;
};

// The same for a layer that turns the gradient of its output into that of its input, in place.
class layer_below_in_place {
  public:
    layer_below_in_place(const dlib::tensor& output, dlib::tensor& gradient)
        : output_(output), gradient_(gradient) {}
    const dlib::tensor& get_output() const { return output_; }
    dlib::tensor& gradient_to_overwrite() { return gradient_; }
    dlib::tensor& get_gradient_input() { return gradient_; }

  private:
    const dlib::tensor& output_;
    dlib::tensor& gradient_;
};

template <typename layer>
dlib::tensor& backward_through(layer& top, const dlib::tensor& output, const dlib::tensor& x,
                               dlib::tensor& gradient, gradient_memory& memory) {
    // dlib allocates the parameters' gradient in its own backward pass.
    auto& details = top.layer_details();
    auto& parameter_gradient = static_cast<dlib::resizable_tensor&>(top.get_parameter_gradient());
    parameter_gradient.copy_size(details.get_layer_params());

    const dlib::tensor& input = input_of(top, output, x);
    dlib::tensor* input_gradient = &gradient;
    if constexpr (has_weights<details_of<layer>>) {
        dlib::resizable_tensor& free = &gradient == &memory.one ? memory.other : memory.one;
        layer_below below(input, free);
        dlib::impl::call_layer_backward(details, output, gradient, below,
                                        static_cast<dlib::tensor&>(parameter_gradient));
        input_gradient = &free;
    } else {
        layer_below_in_place below(input, gradient);
        dlib::impl::call_layer_backward(details, output, gradient, below,
                                        static_cast<dlib::tensor&>(parameter_gradient));
    }
    if constexpr (reads_the_input<layer>)
        return *input_gradient;
    else
        return backward_through(top.subnet(), input, x, *input_gradient, memory);
}

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
    }

    const dlib::tensor& forward(const dlib::tensor& x) override {
        need_device();
        net_.forward(x);
        return net_.get_output();
    }

    dlib::tensor& backward(const dlib::tensor& x, dlib::tensor& gradient,
                           gradient_memory& memory) override {
        return backward_through(net_, net_.get_output(), x, gradient, memory);
    }

    void release_memory() override { net_.clean(); }

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
};

} // namespace ffgan::detail
