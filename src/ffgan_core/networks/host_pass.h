// SPDX-License-Identifier: GPL-3.0-or-later
//
// A network's passes on the CPU. dlib's own store the output of every layer in dlib's order, keep a
// gradient for each, and zero it before a layer adds to it. Here only convolutions store theirs,
// with the channels of a pixel side by side, norms and activations stay pending
// (kernels/layer_values.h), and two gradients are kept at a time.
//
// The gradients of a layer's output and of its input take turns in two memories; the largest one of
// either network is in the same one. What the layer that makes it gives is not needed any more by
// then, and lies in that memory already, at its end: the smaller gradients before have the begin.

#pragma once

#include "base/sizes.h"
#include "layers/stored_values.h"
#include "networks/layer_below.h"
#include "networks/layer_kinds.h"
#include "networks/network.h"

#include <algorithm>
#include <array>
#include <vector>

namespace ffgan::detail {

template <typename net_type> class host_pass {
  public:
    // Takes the shapes from a network that dlib has passed forward.
    void measure(net_type& net, const dlib::tensor& x) {
        struct layer_sizes {
            std::size_t height;
            long input, output;
        };
        std::vector<layer_sizes> sizes; // of an image
        const long samples = x.num_samples();
        auto visit = [&](auto& layer, const dlib::tensor& output) {
            using type = std::decay_t<decltype(layer)>;
            if constexpr (has_weights<details_of<type>>)
                sizes.push_back(
                    {height_of<type>(),
                     static_cast<long>(detail::input_of(layer, output, x).size()) / samples,
                     static_cast<long>(output.size()) / samples});
        };
        walk_with_output(net, net.get_output(), visit); // from the input up, a pass goes down
        const auto largest =
            std::max_element(sizes.begin(), sizes.end(),
                             [](const auto& a, const auto& b) { return a.input < b.input; });
        largest_gradient_ = largest->input;
        largest_first_ = (sizes.end() - largest) % 2 == 1;
        constexpr long margin = 64; // more than alignment takes
        bool fits = largest + 1 != sizes.end();
        for (auto above = largest; sizes.end() - above > 2;) {
            above += 2;
            fits = fits && above->input + largest->output + margin <= largest->input;
        }
        if (fits)
            early_height_ = largest->height;
    }

    // With memory: for a backward pass that uses it.
    const dlib::tensor& forward(net_type& net, const dlib::tensor& x, gradient_memory* memory) {
        // Nothing writes through it.
        input_.tensor = &const_cast<dlib::tensor&>(x);
        memory_ = memory;
        return *forward_through<true>(net).tensor;
    }

    dlib::tensor& backward(net_type& net, const dlib::tensor& x, dlib::tensor& gradient,
                           gradient_memory& memory) {
        input_.tensor = &const_cast<dlib::tensor&>(x);
        return largest_first_ ? backward_through(net, gradient, memory.one, memory.other)
                              : backward_through(net, gradient, memory.other, memory.one);
    }

    void set_images_with_gradient(image_range images) { images_ = images; }

    void set_gradient_listener(gradient_listener* listener) { listener_ = listener; }

    void release() {
        for (layers::aligned_tensor& output : outputs_)
            output.clear();
        for (dlib::resizable_tensor& output : planes_)
            output.clear();
    }

  private:
    using values = layers::stored_values;

    template <typename layer> static constexpr std::size_t height_of() {
        if constexpr (reads_the_input<layer>)
            return 0;
        else
            return 1 + height_of<typename std::decay_t<layer>::subnet_type>();
    }

    // What a layer read in the last forward pass, and what it gave.
    template <typename layer> const values& input_of() const {
        if constexpr (reads_the_input<layer>)
            return input_;
        else
            return given_[height_of<layer>() - 1];
    }
    template <typename layer> values& output_of() { return given_[height_of<layer>()]; }

    // in_planes: the layers above want dlib's order.
    template <bool in_planes, typename layer> const values& forward_through(layer& top) {
        using details_type = details_of<layer>;
        constexpr bool convolves =
            is_convolution<details_type>::value || is_transposed_convolution<details_type>::value;
        if constexpr (!reads_the_input<layer>)
            forward_through<!convolves && (in_planes || has_weights<details_type>)>(top.subnet());
        details_type& details = top.layer_details();
        const values& in = input_of<layer>();
        // Our convolutions write into aligned memory, dlib's way of calling a layer wants its own.
        [[maybe_unused]] dlib::resizable_tensor& planes = planes_[height_of<layer>()];
        values& out = output_of<layer>();
        if constexpr (convolves) {
            const bool channels_last = !in_planes && details.num_filters() % 8 == 0;
            layers::aligned_tensor& output = outputs_[height_of<layer>()];
            if (memory_ != nullptr && height_of<layer>() == early_height_) {
                at_end end{output, memory_->one,
                           static_cast<long>(in.tensor->num_samples()) * largest_gradient_};
                details.set_output_size(*in.tensor, end);
            } else {
                details.set_output_size(*in.tensor, output);
            }
            details.compute(*in.tensor, in.view(), {output.get().host_write_only(), channels_last});
            out = {&output.get(), channels_last, nullptr};
        } else if constexpr (is_norm<details_type>) {
            if (in.channels_last) {
                out = {in.tensor, true, &details.prepare(*in.tensor)};
            } else {
                details.forward(view_of(in), planes);
                out = {&planes, false, nullptr};
            }
        } else if constexpr (std::is_same_v<details_type, layers::leaky_relu_dropout>) {
            out = {in.tensor, in.channels_last, nullptr};
            if (in.channels_last)
                out.pending = &details.prepare(*in.tensor);
            else
                details.forward_inplace(*in.tensor, *in.tensor);
        } else if constexpr (is_in_place<details_type>) {
            static_assert(!reads_the_input<layer>, "the input is not to be overwritten");
            details.forward_inplace(*in.tensor, *in.tensor);
            out = in;
        } else {
            details.forward(view_of(in), planes);
            out = {&planes, false, nullptr};
        }
        return out;
    }

    // `gradient` is of the layer's output, in the order of that; `next` is free for its input's.
    template <typename layer>
    dlib::tensor& backward_through(layer& top, dlib::tensor& gradient, layers::aligned_tensor& next,
                                   layers::aligned_tensor& after) {
        using details_type = details_of<layer>;
        // dlib allocates the parameters' gradient in its own backward pass.
        details_type& details = top.layer_details();
        auto& of_parameters = static_cast<dlib::resizable_tensor&>(top.get_parameter_gradient());
        of_parameters.copy_size(details.get_layer_params());

        const values& in = input_of<layer>();
        const values& out = output_of<layer>();
        [[maybe_unused]] bool wanted = true;
        if constexpr (is_convolution<details_type>::value ||
                      is_transposed_convolution<details_type>::value) {
            const layers::layer_values given{gradient.host(), out.channels_last, nullptr};
            wanted = details.data_gradient();
            if (wanted) {
                float* target = next.copy_size(*in.tensor).host_write_only();
                if constexpr (reads_the_input<layer>)
                    give_gradient_of_images(details, given, gradient.size(), target);
                else
                    details.compute_data_gradient(*in.tensor, given, {target, in.channels_last});
            }
            details.compute_parameter_gradient(*in.tensor, in.view(), given, of_parameters);
        } else if constexpr (has_weights<details_type>) {
            layer_below<layers::aligned_tensor> below(*in.tensor, next);
            dlib::impl::call_layer_backward(details, *out.tensor, gradient, below,
                                            static_cast<dlib::tensor&>(of_parameters));
        } else if (out.pending != nullptr) {
            if constexpr (is_norm<details_type>)
                details.compute_gradient_in_place(*in.tensor, gradient, of_parameters);
            else if constexpr (std::is_same_v<details_type, layers::leaky_relu_dropout>)
                details.compute_gradient_in_place(*in.tensor, gradient);
        } else {
            layer_below_in_place below(*in.tensor, gradient);
            dlib::impl::call_layer_backward(details, *out.tensor, gradient, below,
                                            static_cast<dlib::tensor&>(of_parameters));
        }
        if constexpr (has_weights<details_type> || is_norm<details_type>)
            if (listener_ != nullptr)
                listener_->ready(of_parameters);
        if constexpr (has_weights<details_type>) {
            if constexpr (reads_the_input<layer>)
                return wanted ? next.get() : gradient; // nobody reads what is not wanted
            else
                return backward_through(top.subnet(), next.get(), after, next);
        } else {
            return backward_through(top.subnet(), gradient, next, after);
        }
    }

    // With respect to the images for which it is wanted.
    template <typename details_type>
    void give_gradient_of_images(const details_type& details, layers::layer_values gradient,
                                 std::size_t size, float* target) const {
        dlib::tensor& x = *input_.tensor;
        const long samples = x.num_samples();
        const long end = std::min(samples, images_.end), begin = std::min(end, images_.begin);
        const std::size_t first = count(begin) * (x.size() / count(samples));
        const auto images = dlib::alias_tensor(end - begin, x.k(), x.nr(), x.nc())(x, first);
        gradient.values += count(begin) * (size / count(samples));
        details.compute_data_gradient(images, gradient, {target + first, input_.channels_last});
    }

    // A tensor whose size is set there.
    struct at_end {
        layers::aligned_tensor &tensor, &memory;
        long room;
        void set_size(long samples, long channels, long rows, long columns) {
            tensor.set_size_at_end(memory, room, samples, channels, rows, columns);
        }
    };

    // What dlib's way of calling a layer wants.
    struct view {
        const dlib::tensor& output;
        const dlib::tensor& get_output() const { return output; }
    };
    static view view_of(const values& in) { return {*in.tensor}; }

    static constexpr std::size_t layers_ = 1 + height_of<net_type>();
    image_range images_;
    gradient_listener* listener_ = nullptr;
    long largest_gradient_ = 0;          // floats of an image
    bool largest_first_ = true;          // in the memory that the first gradient takes
    std::size_t early_height_ = layers_; // the layer whose output lies there
    gradient_memory* memory_ = nullptr;  // of the last forward pass
    values input_;
    std::array<values, layers_> given_;
    std::array<layers::aligned_tensor, layers_> outputs_;
    std::array<dlib::resizable_tensor, layers_> planes_;
};

} // namespace ffgan::detail
