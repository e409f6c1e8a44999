// SPDX-License-Identifier: GPL-3.0-or-later

// Every computational layer against dlib's own as the oracle. Prints one line per check; exits 1
// when any failed.

#include "layers/activated_norm.h"
#include "layers/activations.h"
#include "layers/batch_norm.h"
#include "layers/convolution.h"
#include "layers/dropout.h"
#include "layers/leaky_relu_dropout.h"
#include "layers/transposed_convolution.h"
#include "base/random.h"
#include "base/threads.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <dlib/dnn.h>
#include <functional>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace {

using dlib::resizable_tensor;
using dlib::tensor;
namespace layers = ffgan::layers;

int failures = 0;

void check(const std::string& name, bool passed, const std::string& detail = "") {
    std::cout << (passed ? "ok    " : "FAIL  ") << name << (detail.empty() ? "" : ": ") << detail
              << "\n";
    failures += !passed;
}

/// What a layer sees of the network below it.
struct source {
    resizable_tensor output, gradient;
    const tensor& get_output() const { return output; }
    tensor& get_gradient_input() { return gradient; }
};

void fill(tensor& t, std::uint64_t seed) {
    float* values = t.host();
    for (std::size_t i = 0; i < t.size(); ++i)
        values[i] = 2 * ffgan::uniform_from(ffgan::counter_random(seed, 7, i)) - 1;
}

/// Assigning one tensor& to another would copy its sizes but not its values.
void copy_values(const tensor& from, tensor& to) {
    std::memcpy(to.host(), from.host(), from.size() * sizeof(float));
}

resizable_tensor random_tensor(long n, long k, long rows, long columns, std::uint64_t seed) {
    resizable_tensor t(n, k, rows, columns);
    fill(t, seed);
    return t;
}

source random_source(long n, long k, long rows, long columns, std::uint64_t seed) {
    return {random_tensor(n, k, rows, columns, seed), random_tensor(n, k, rows, columns, seed + 1)};
}

/// Largest difference relative to the largest magnitude of the expected tensor.
double relative_error(const tensor& expected, const tensor& actual) {
    if (!have_same_dimensions(expected, actual))
        return std::numeric_limits<double>::infinity();
    double difference = 0, largest = 1e-30;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double a = expected.host()[i], b = actual.host()[i];
        if (!std::isfinite(b))
            return std::numeric_limits<double>::infinity();
        difference = std::max(difference, std::abs(a - b));
        largest = std::max(largest, std::abs(a));
    }
    return difference / largest;
}

void check_close(const std::string& name, const tensor& expected, const tensor& actual,
                 double tolerance) {
    const double error = relative_error(expected, actual);
    std::ostringstream text;
    text << "relative error " << error << ", allowed " << tolerance;
    check(name, error <= tolerance, text.str());
}

bool same_bytes(const tensor& a, const tensor& b) {
    return have_same_dimensions(a, b) &&
           std::memcmp(a.host(), b.host(), a.size() * sizeof(float)) == 0;
}

resizable_tensor sample_of(const tensor& t, long sample) {
    resizable_tensor one(1, t.k(), t.nr(), t.nc());
    const std::size_t size = one.size();
    std::memcpy(one.host(), t.host() + static_cast<std::size_t>(sample) * size,
                size * sizeof(float));
    return one;
}

template <class Layer> std::string serialized(const Layer& layer) {
    std::ostringstream out;
    serialize(layer, out);
    return out.str();
}

template <class Layer> void read(Layer& layer, const std::string& bytes) {
    std::istringstream in(bytes);
    deserialize(layer, in);
}

/// Ours -> dlib's -> ours: the same bytes at every step.
template <class Theirs, class Ours> void check_file_format(const std::string& name, Ours& ours) {
    Theirs theirs;
    read(theirs, serialized(ours));
    Ours again;
    read(again, serialized(theirs));
    check(name + ": dlib reads and writes the same file",
          serialized(theirs) == serialized(ours) && serialized(again) == serialized(ours));
    std::ostringstream our_text, their_text, our_xml, their_xml;
    our_text << ours;
    their_text << theirs;
    to_xml(ours, our_xml);
    to_xml(theirs, their_xml);
    check(name + ": prints as dlib's layer does",
          our_text.str() == their_text.str() && our_xml.str() == their_xml.str(), our_text.str());
}

template <class Layer> resizable_tensor forward_of(Layer& layer, const tensor& input) {
    source below;
    below.output = input;
    resizable_tensor output;
    layer.forward(below, output);
    return output;
}

/// Forward passes must not depend on the number of threads, nor a sample on its batch.
template <class Layer>
void check_invariance(const std::string& name, Layer& layer, const tensor& input) {
    const long before = ffgan::threads();
    ffgan::set_threads(1);
    const resizable_tensor whole = forward_of(layer, input);
    bool threads_agree = true;
    for (const long count : {2L, 3L, 7L}) {
        ffgan::set_threads(count);
        threads_agree = threads_agree && same_bytes(whole, forward_of(layer, input));
    }
    check(name + ": same bytes at 1, 2, 3 and 7 threads", threads_agree);
    ffgan::set_threads(2);
    bool samples_agree = true;
    for (long i = 0; i < input.num_samples(); i += 1 + static_cast<long>(input.num_samples()) / 6)
        samples_agree = samples_agree &&
                        same_bytes(sample_of(whole, i), forward_of(layer, sample_of(input, i)));
    check(name + ": a sample alone has the bytes it has in its batch", samples_agree);
    ffgan::set_threads(before);
}

template <class Ours, class Theirs>
void check_filters(const std::string& name, long samples, long channels, long rows, long columns,
                   bool bias) {
    std::ostringstream text;
    text << name << " on " << samples << "x" << channels << "x" << rows << "x" << columns
         << (bias ? "" : ", no bias");
    const std::string label = text.str();
    source below = random_source(samples, channels, rows, columns, 1);
    source their_below = below;
    Ours ours;
    Theirs theirs;
    if (!bias) {
        ours.disable_bias();
        theirs.disable_bias();
    }
    ours.setup(below);
    theirs.setup(below);
    check(label + ": parameter count",
          ours.get_layer_params().size() == theirs.get_layer_params().size());
    fill(ours.get_layer_params(), 3);
    copy_values(ours.get_layer_params(), theirs.get_layer_params());

    resizable_tensor output, their_output;
    ours.forward(below, output);
    theirs.forward(their_below, their_output);
    check_close(label + ": forward", their_output, output, 1e-5);

    resizable_tensor gradient;
    gradient.copy_size(output);
    fill(gradient, 4);
    resizable_tensor params_gradient, their_params_gradient;
    params_gradient.copy_size(ours.get_layer_params());
    their_params_gradient.copy_size(ours.get_layer_params());
    params_gradient = 5;
    ours.backward(gradient, below, params_gradient);
    theirs.backward(gradient, their_below, their_params_gradient);
    check_close(label + ": gradient of the input", their_below.gradient, below.gradient, 1e-4);
    check_close(label + ": gradient of the parameters", their_params_gradient, params_gradient,
                1e-4);

    const resizable_tensor before = below.gradient;
    const resizable_tensor params_before = params_gradient;
    source again = random_source(samples, channels, rows, columns, 1);
    params_gradient = 6;
    ours.backward(gradient, again, params_gradient);
    check(label + ": the gradients are reproducible",
          same_bytes(before, again.gradient) && same_bytes(params_before, params_gradient));
    ffgan::set_threads(5);
    again = random_source(samples, channels, rows, columns, 1);
    ours.backward(gradient, again, params_gradient);
    check(label + ": the gradient of the input does not depend on the threads",
          same_bytes(before, again.gradient));
    ffgan::set_threads(2);
    ours.backward(gradient, again, params_gradient);
    ours.set_data_gradient(false);
    ours.set_learning_rate_multiplier(0);
    ours.backward(gradient, below, params_gradient);
    check(label + ": switched-off gradients stay untouched",
          same_bytes(before, below.gradient) && same_bytes(params_before, params_gradient));
    ours.set_learning_rate_multiplier(0.25);

    check_file_format<Theirs>(label, ours);
    check_invariance(label, ours, below.output);
}

template <long Filters, long Kernel, int Stride, int Padding>
void check_convolution(long samples, long channels, long rows, long columns, bool bias = true) {
    std::ostringstream name;
    name << "convolution<" << Filters << ", " << Kernel << ", " << Stride << ", " << Padding << ">";
    check_filters<layers::convolution<Filters, Kernel, Stride, Padding>,
                  dlib::con_<Filters, Kernel, Kernel, Stride, Stride, Padding, Padding>>(
        name.str(), samples, channels, rows, columns, bias);
}

template <long Filters, long Kernel, int Stride, int Padding>
void check_transposed(long samples, long channels, long rows, long columns, bool bias = true) {
    std::ostringstream name;
    name << "transposed_convolution<" << Filters << ", " << Kernel << ", " << Stride << ", "
         << Padding << ">";
    check_filters<layers::transposed_convolution<Filters, Kernel, Stride, Padding>,
                  dlib::cont_<Filters, Kernel, Kernel, Stride, Stride, Padding, Padding>>(
        name.str(), samples, channels, rows, columns, bias);
}

void convolutions() {
    for (long samples = 1; samples <= 9; ++samples)
        check_convolution<13, 4, 2, 1>(samples, 5, 11, 9, samples % 2 == 0);
    // The discriminators' layers: exact kernels, smaller images, odd numbers of channels.
    check_convolution<64, 4, 2, 0>(3, 3, 162, 162);
    check_convolution<37, 4, 2, 1>(2, 19, 40, 41, false);
    check_convolution<64, 3, 3, 1>(5, 33, 20, 20, false);
    check_convolution<70, 4, 2, 1>(5, 64, 7, 7, false);
    check_convolution<70, 4, 2, 1>(1, 64, 7, 7);
    check_convolution<3, 1, 1, 0>(4, 65, 3, 3);
    check_convolution<3, 3, 1, 0>(2, 3, 162, 162);
    check_convolution<30, 4, 2, 1>(2, 3, 160, 160);
    check_convolution<20, 3, 1, 0>(3, 31, 40, 38);
    check_convolution<9, 4, 2, 1>(64, 10, 19, 19);
    check_convolution<9, 4, 2, 1>(70, 10, 9, 9);
    // Padding wider than the image's own border, strides beyond the kernel, one pixel.
    check_convolution<5, 5, 4, 4>(2, 3, 6, 5);
    check_convolution<5, 2, 3, 0>(2, 3, 11, 12);
    check_convolution<1, 1, 1, 0>(1, 1, 1, 1);
    check_convolution<4, 3, 1, 1>(2, 2, 3, 700);
}

void transposed_convolutions() {
    for (long samples = 1; samples <= 9; ++samples)
        check_transposed<13, 4, 2, 1>(samples, 5, 6, 7, samples % 2 == 0);
    // The generator's layers.
    check_transposed<512, 4, 1, 0>(1, 100, 1, 1, false);
    check_transposed<512, 4, 1, 0>(9, 100, 1, 1, false);
    check_transposed<41, 3, 3, 1>(1, 130, 4, 4, false);
    check_transposed<41, 3, 3, 1>(64, 30, 4, 4, false);
    check_transposed<128, 4, 2, 1>(3, 33, 10, 10, false);
    check_transposed<64, 4, 2, 1>(2, 17, 40, 40, false);
    check_transposed<3, 4, 2, 0>(1, 64, 80, 80);
    check_transposed<3, 4, 2, 0>(5, 11, 80, 80);
    check_transposed<7, 4, 2, 1>(70, 3, 9, 8);
    check_transposed<5, 2, 3, 0>(2, 3, 4, 5);
    check_transposed<5, 5, 4, 2>(2, 3, 4, 5);
    check_transposed<1, 1, 1, 0>(1, 1, 1, 1);
    check_transposed<2, 3, 1, 1>(2, 3, 2, 700);
}

void initial_filters() {
    source below = random_source(1, 8, 5, 5, 1);
    layers::convolution<6, 3, 1, 1> a, b, c;
    c.set_seed(1);
    a.setup(below);
    b.setup(below);
    c.setup(below);
    check("initial filters: a function of the seed",
          same_bytes(a.get_layer_params(), b.get_layer_params()) &&
              !same_bytes(a.get_layer_params(), c.get_layer_params()));
    const double bound = std::sqrt(6.0 / (8 * 9 + 6));
    double largest = 0, bias = 0;
    for (std::size_t i = 0; i < a.get_layer_params().size(); ++i) {
        const double value = std::abs(a.get_layer_params().host()[i]);
        (i < 6 * 8 * 9 ? largest : bias) = std::max(i < 6 * 8 * 9 ? largest : bias, value);
    }
    check("initial filters: Glorot's bounds, zero biases",
          largest <= bound && largest > 0.95 * bound && bias == 0);

    bool refused = false;
    try {
        source small = random_source(1, 2, 2, 2, 1);
        layers::convolution<1, 4, 2, 0> large;
        large.setup(small);
        forward_of(large, small.output);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    check("convolution: an image smaller than the kernel is refused", refused);
}

void batch_norms() {
    struct shape {
        long n, k, rows, columns;
    };
    for (const shape& s : {shape{2, 3, 1, 1},
                           {3, 5, 7, 9},
                           {64, 7, 3, 3},
                           {70, 2, 20, 20},
                           {4, 3, 78, 78},
                           {9, 33, 4, 4}}) {
        std::ostringstream text;
        text << "batch_norm on " << s.n << "x" << s.k << "x" << s.rows << "x" << s.columns;
        const std::string name = text.str();
        source below = random_source(s.n, s.k, s.rows, s.columns, 1);
        // A mean far from zero is where a sum of squares loses its digits.
        for (std::size_t i = 0; i < below.output.size(); ++i)
            below.output.host()[i] += 20;
        source their_below = below;
        layers::batch_norm ours;
        dlib::bn_<dlib::CONV_MODE> theirs;
        ours.setup(below);
        theirs.setup(below);
        fill(ours.get_layer_params(), 2);
        copy_values(ours.get_layer_params(), theirs.get_layer_params());
        resizable_tensor output, their_output;
        for (int pass = 0; pass < 3; ++pass) {
            ours.forward(below, output);
            theirs.forward(their_below, their_output);
            fill(below.output, static_cast<std::uint64_t>(pass) + 40);
            their_below.output = below.output;
            if (pass < 2)
                continue;
            // The statistics of this last pass are those of a batch around zero.
            check_close(name + ": forward", their_output, output, 1e-5);
        }
        ours.forward(below, output);
        theirs.forward(their_below, their_output);
        layers::batch_norm from_theirs;
        read(from_theirs, serialized(theirs));
        check_close(name + ": running means", from_theirs.running_means(), ours.running_means(),
                    1e-5);
        check_close(name + ": running variances", from_theirs.running_variances(),
                    ours.running_variances(), 1e-5);
        check(name + ": number of updates", from_theirs.updates() == ours.updates());

        resizable_tensor gradient;
        gradient.copy_size(output);
        fill(gradient, 5);
        resizable_tensor params_gradient, their_params_gradient;
        params_gradient.copy_size(ours.get_layer_params());
        their_params_gradient.copy_size(ours.get_layer_params());
        ours.backward(gradient, below, params_gradient);
        theirs.backward(gradient, their_below, their_params_gradient);
        check_close(name + ": gradient of the input", their_below.gradient, below.gradient, 1e-4);
        check_close(name + ": gradient of the parameters", their_params_gradient, params_gradient,
                    1e-4);

        const resizable_tensor means = ours.running_means();
        ours.set_mode(layers::batch_norm::mode::frozen_statistics);
        fill(below.output, 11);
        const resizable_tensor frozen = forward_of(ours, below.output);
        check(name + ": frozen statistics stay",
              same_bytes(means, ours.running_means()) && ours.updates() == from_theirs.updates());
        ours.set_mode(layers::batch_norm::mode::training);
        check(name + ": frozen statistics normalise as training does",
              same_bytes(frozen, forward_of(ours, below.output)));

        check_file_format<dlib::bn_<dlib::CONV_MODE>>(name, ours);
        read(theirs, serialized(ours));
        ours.set_mode(layers::batch_norm::mode::inference);
        // dlib infers on a batch of one only.
        resizable_tensor one = sample_of(below.output, 0);
        check_close(name + ": inference", forward_of(theirs, one), forward_of(ours, one), 1e-5);
        check_invariance(name + ", inference", ours, below.output);
    }

    // dlib has no gradient for one sample or for running statistics: a difference quotient of
    // sum(weights * output) is the oracle.
    for (const auto mode :
         {layers::batch_norm::mode::frozen_statistics, layers::batch_norm::mode::inference}) {
        const std::string name = mode == layers::batch_norm::mode::inference
                                     ? "batch_norm in inference"
                                     : "batch_norm of one sample";
        source below = random_source(1, 3, 4, 5, 6);
        below.gradient = 0;
        layers::batch_norm layer;
        layer.setup(below);
        fill(layer.get_layer_params(), 8);
        fill(layer.running_means(), 9);
        layer.set_mode(mode);
        const resizable_tensor weights = random_tensor(1, 3, 4, 5, 10);
        const auto objective = [&] {
            const resizable_tensor output = forward_of(layer, below.output);
            double sum = 0;
            for (std::size_t i = 0; i < output.size(); ++i)
                sum += static_cast<double>(output.host()[i]) * weights.host()[i];
            return sum;
        };
        objective();
        resizable_tensor params_gradient;
        params_gradient.copy_size(layer.get_layer_params());
        layer.backward(weights, below, params_gradient);
        const auto quotient = [&](float& value) {
            const float step = 1e-2f, before = value;
            value = before + step;
            const double up = objective();
            value = before - step;
            const double down = objective();
            value = before;
            return static_cast<float>((up - down) / (2 * step));
        };
        resizable_tensor expected, expected_params;
        expected.copy_size(below.output);
        expected_params.copy_size(params_gradient);
        for (std::size_t i = 0; i < expected.size(); ++i)
            expected.host()[i] = quotient(below.output.host()[i]);
        for (std::size_t i = 0; i < expected_params.size(); ++i)
            expected_params.host()[i] = quotient(layer.get_layer_params().host()[i]);
        check_close(name + ": gradient of the input", expected, below.gradient, 2e-3);
        check_close(name + ": gradient of the parameters", expected_params, params_gradient, 2e-3);
    }
}

/// An in-place layer against dlib's: in place and into another tensor, the gradient added and
/// assigned.
template <class Ours, class Theirs>
void check_activation(const std::string& name, Ours ours, Theirs theirs, float range) {
    for (const long size : {1L, 7L, 1000L, 100003L}) {
        const std::string label = name + " of " + std::to_string(size);
        resizable_tensor input = random_tensor(1, 1, 1, size, 1);
        for (float& x : input)
            x *= range;
        resizable_tensor output = input, expected = input;
        ours.forward_inplace(input, output);
        theirs.forward_inplace(input, expected);
        check_close(label + ": forward", expected, output, 1e-6);
        resizable_tensor in_place = input;
        ours.forward_inplace(in_place, in_place);
        check(label + ": the same in place", same_bytes(output, in_place));

        const resizable_tensor gradient = random_tensor(1, 1, 1, size, 2);
        resizable_tensor added = random_tensor(1, 1, 1, size, 3), expected_added = added, params;
        ours.backward_inplace(output, gradient, added, params);
        theirs.backward_inplace(output, gradient, expected_added, params);
        check_close(label + ": gradient added", expected_added, added, 1e-6);
        resizable_tensor assigned = gradient, expected_assigned = gradient;
        ours.backward_inplace(output, assigned, assigned, params);
        theirs.backward_inplace(output, expected_assigned, expected_assigned, params);
        check_close(label + ": gradient in place", expected_assigned, assigned, 1e-6);
    }
    check_file_format<Theirs>(name, ours);
}

void activations() {
    check_activation("leaky_relu", layers::leaky_relu(), dlib::leaky_relu_(0.2f), 2);
    check_activation("relu", layers::relu(), dlib::relu_(), 2);
    check_activation("sigmoid", layers::sigmoid(), dlib::sig_(), 12);
    layers::relu disabled;
    disabled.disable();
    check_file_format<dlib::relu_>("disabled relu", disabled);

    layers::sigmoid sigmoid;
    resizable_tensor extremes(1, 1, 1, 4), out(1, 1, 1, 4);
    const std::vector<float> values{-1000, 1000, -std::numeric_limits<float>::infinity(),
                                    std::numeric_limits<float>::infinity()};
    std::copy(values.begin(), values.end(), extremes.host());
    sigmoid.forward_inplace(extremes, out);
    check("sigmoid: saturates to 0 and 1", out.host()[0] < 1e-37f && out.host()[1] == 1 &&
                                               out.host()[2] < 1e-37f && out.host()[3] == 1);
}

void dropouts() {
    const long size = 200003;
    resizable_tensor ones(1, 1, 1, size);
    ones = 1;
    for (const float rate : {0.0f, 0.1f, 0.25f, 0.5f, 0.9f, 1.0f}) {
        std::ostringstream text;
        text << "dropout " << rate;
        const std::string name = text.str();
        layers::dropout layer(rate);
        layer.set_key(42);
        resizable_tensor output = ones;
        layer.forward_inplace(ones, output);
        double kept = 0;
        bool binary = true;
        for (const float value : output) {
            kept += value;
            binary = binary && (value == 0 || value == 1);
        }
        // Four standard deviations of the binomial share.
        const double tolerance = 4 * std::sqrt(rate * (1 - rate) / size) + 1e-5;
        check(name + ": keeps its share, unscaled",
              binary && std::abs(kept / size - (1 - rate)) <= tolerance,
              std::to_string(kept / size));

        resizable_tensor gradient = random_tensor(1, 1, 1, size, 2), params;
        resizable_tensor added = random_tensor(1, 1, 1, size, 3), expected = added;
        for (long i = 0; i < size; ++i)
            expected.host()[i] += output.host()[i] * gradient.host()[i];
        layer.backward_inplace(gradient, added, params);
        check_close(name + ": gradient added through the mask", expected, added, 1e-6);
        for (long i = 0; i < size; ++i)
            expected.host()[i] = output.host()[i] * gradient.host()[i];
        layer.backward_inplace(gradient, gradient, params);
        check_close(name + ": gradient in place", expected, gradient, 1e-6);

        resizable_tensor again = ones;
        ffgan::set_threads(1);
        layer.forward_inplace(again, again);
        ffgan::set_threads(2);
        check(name + ": the mask is a function of the key", same_bytes(output, again));
        layer.set_key(43);
        layer.forward_inplace(ones, again);
        check(name + ": another key, another mask",
              same_bytes(output, again) == (rate == 0 || rate == 1));

        layer.set_mode(layers::dropout::mode::inference);
        dlib::multiply_ theirs(1 - rate);
        const resizable_tensor input = random_tensor(2, 3, 4, 5, 4);
        resizable_tensor inferred = input, their_inferred = input;
        layer.forward_inplace(input, inferred);
        theirs.forward_inplace(input, their_inferred);
        check_close(name + ": inference", their_inferred, inferred, 1e-6);
        check_file_format<dlib::dropout_>(name, layer);
    }
    // Neighbouring keys must not give shifted or equal masks: the agreement of two masks of rate
    // 0.5 is binomial with probability 0.5.
    std::vector<std::uint64_t> a, b;
    layers::detail::dropout_mask(1, 0.5f, size, a);
    layers::detail::dropout_mask(2, 0.5f, size, b);
    long agree = 0;
    for (long i = 0; i < size; ++i)
        agree += ((a[static_cast<std::size_t>(i / 64)] ^ b[static_cast<std::size_t>(i / 64)]) >>
                      (i % 64) &
                  1) == 0;
    check("dropout: masks of neighbouring keys are independent",
          std::abs(static_cast<double>(agree) / size - 0.5) < 4 * 0.5 / std::sqrt(size));
    for (const long values : {1L, 5L, 37L, 64L, 100L, 1000L}) {
        const long samples = 9, repeated = 4, fresh = samples - repeated;
        resizable_tensor x(samples, 1, 1, values), plain = x, output = x;
        x = 1;
        layers::dropout layer(0.3f);
        layer.set_key(5);
        layer.forward_inplace(x, plain);
        layer.set_key(5, repeated);
        layer.forward_inplace(x, output);
        const float *begin = output.host(), *middle = begin + fresh * values;
        check("dropout: the last samples of " + std::to_string(values) + " take the first masks",
              std::equal(begin, middle, plain.host()) &&
                  std::equal(middle, middle + repeated * values, begin));
        layer.set_key(5);
        layer.forward_inplace(x, output);
        check("dropout: masks are repeated once", same_bytes(plain, output));
    }
    int refused = 0;
    for (const float rate : {-0.1f, 1.1f, std::numeric_limits<float>::quiet_NaN()}) {
        try {
            layers::dropout layer(rate);
        } catch (const std::invalid_argument&) {
            ++refused;
        }
    }
    check("dropout: rates outside [0, 1] are refused", refused == 3);
}

/// A layer below that lets the gradient of its output be overwritten by that of its input.
struct source_in_place {
    const tensor& output;
    tensor& gradient;
    const tensor& get_output() const { return output; }
    tensor& gradient_to_overwrite() { return gradient; }
};

/// The elements that a dropout layer keeps, as ones and zeros; factor times that.
resizable_tensor mask_of(const layers::dropout& layer, std::uint64_t key, const tensor& like) {
    resizable_tensor mask;
    mask.copy_size(like);
    mask = layer.factor();
    if (layer.get_drop_rate() == 0 || layer.get_mode() == layers::dropout::mode::inference)
        return mask;
    std::vector<std::uint64_t> bits;
    layers::detail::dropout_mask(key, layer.get_drop_rate(), static_cast<long>(like.size()), bits);
    for (std::size_t i = 0; i < mask.size(); ++i)
        mask.host()[i] = static_cast<float>(bits[i / 64] >> (i % 64) & 1);
    return mask;
}

/// activated_norm in plain double precision, straight from the formulas.
struct plain_norm {
    std::vector<double> output, data_gradient, gamma_gradient, beta_gradient;
    double largest_term = 0; // what the gradient's rounding errors are relative to

    /// `gradient` is set to 0 where the rounding of float32 could decide on which side of 0 the
    /// activation behind the norm is.
    plain_norm(const tensor& input, float slope_before, float slope_after, const tensor& mask,
               const tensor& params, const tensor* running_means, const tensor* running_variances,
               tensor& gradient) {
        const long samples = input.num_samples(), channels = input.k();
        const long places = input.nr() * input.nc();
        const double n = static_cast<double>(samples * places);
        output.resize(input.size());
        data_gradient.resize(input.size());
        for (long channel = 0; channel < channels; ++channel) {
            std::vector<std::size_t> all;
            for (long sample = 0; sample < samples; ++sample)
                for (long i = 0; i < places; ++i)
                    all.push_back(
                        static_cast<std::size_t>((sample * channels + channel) * places + i));
            const auto leaky = [](double gate, double v, double slope) {
                return gate > 0 ? v : slope * v;
            };
            const auto before = [&](std::size_t i) {
                const double x = input.host()[i];
                return leaky(x, x, slope_before);
            };
            double mean = 0, variance = 0;
            for (const std::size_t i : all)
                mean += before(i) / n;
            for (const std::size_t i : all)
                variance += (before(i) - mean) * (before(i) - mean) / n;
            if (running_means) {
                mean = running_means->host()[channel];
                variance = running_variances->host()[channel];
            }
            const double gamma = params.host()[channel], beta = params.host()[channels + channel];
            const double invstd = 1 / std::sqrt(variance + layers::batch_norm::default_eps);
            double sum = 0, sum_hat = 0;
            for (const std::size_t i : all) {
                const double hat = (before(i) - mean) * invstd;
                const double normed = gamma * hat + beta;
                output[i] = leaky(normed, normed, slope_after) * mask.host()[i];
                if (std::abs(normed) < 1e-4 && slope_after != 1)
                    gradient.host()[i] = 0;
                const double g =
                    leaky(normed, static_cast<double>(gradient.host()[i]), slope_after) *
                    mask.host()[i];
                data_gradient[i] = g;
                sum += g;
                sum_hat += g * hat;
            }
            gamma_gradient.push_back(sum_hat);
            beta_gradient.push_back(sum);
            for (const std::size_t i : all) {
                const double hat = (before(i) - mean) * invstd;
                double d = data_gradient[i];
                largest_term = std::max(largest_term, std::abs(gamma * invstd * d));
                if (!running_means)
                    d -= sum / n + hat * sum_hat / n;
                data_gradient[i] = leaky(input.host()[i], gamma * invstd * d, slope_before);
            }
        }
    }
};

void check_values(const std::string& name, const std::vector<double>& expected, const float* actual,
                  double scale, double tolerance) {
    double difference = 0, largest = std::max(scale, 1e-30);
    bool finite = true;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        finite = finite && std::isfinite(actual[i]);
        difference = std::max(difference, std::abs(expected[i] - actual[i]));
        largest = std::max(largest, std::abs(expected[i]));
    }
    std::ostringstream text;
    text << "relative error " << difference / largest << ", allowed " << tolerance;
    check(name, finite && difference <= tolerance * largest, text.str());
}

/// dlib's own layers one after the other, in training.
void check_against_dlib(const std::string& name, const tensor& input, float slope_before,
                        float slope_after, const tensor& mask, const tensor& params,
                        const tensor& gradient, const tensor& output, const tensor& data_gradient,
                        const tensor& params_gradient) {
    dlib::leaky_relu_ before(slope_before), after(slope_after);
    dlib::bn_<dlib::CONV_MODE> norm;
    source below;
    below.output = input;
    below.gradient = input;
    below.gradient = 0;
    norm.setup(below);
    copy_values(params, norm.get_layer_params());
    before.forward_inplace(below.output, below.output);
    resizable_tensor expected, unused;
    norm.forward(below, expected);
    after.forward_inplace(expected, expected);
    resizable_tensor g = gradient;
    after.backward_inplace(expected, g, g, unused);
    dlib::tt::multiply(false, expected, expected, mask);
    dlib::tt::multiply(false, g, g, mask);
    resizable_tensor expected_params_gradient;
    expected_params_gradient.copy_size(params);
    norm.backward(g, below, expected_params_gradient);
    before.backward_inplace(below.output, below.gradient, below.gradient, unused);
    check_close(name + ": forward as dlib's layers", expected, output, 1e-5);
    check_close(name + ": gradient as dlib's layers", below.gradient, data_gradient, 1e-4);
    check_close(name + ": gradient of the parameters as dlib's layers", expected_params_gradient,
                params_gradient, 1e-4);
}

template <class Layer>
void check_activated_norm(const std::string& kind, float slope_before, float slope_after,
                          float rate, long samples, long channels, long rows, long columns) {
    using mode = layers::batch_norm::mode;
    constexpr std::uint64_t key = 77;
    for (const mode m : {mode::training, mode::frozen_statistics, mode::inference}) {
        std::ostringstream text;
        text << kind << " on " << samples << "x" << channels << "x" << rows << "x" << columns
             << ", dropout " << rate
             << (m == mode::training    ? ", training"
                 : m == mode::inference ? ", inference"
                                        : ", frozen statistics");
        const std::string name = text.str();
        source below = random_source(samples, channels, rows, columns, 1);
        for (float& x : below.output)
            x += 0.3f;
        Layer layer;
        layer.setup(below);
        layer.norm().set_mode(m);
        layer.dropout().set_mode(m == mode::inference ? layers::dropout::mode::inference
                                                      : layers::dropout::mode::training);
        layer.dropout().set_rate(rate);
        layer.dropout().set_key(key);
        fill(layer.get_layer_params(), 2);
        fill(layer.norm().running_means(), 3);
        const resizable_tensor means = layer.norm().running_means();
        const resizable_tensor variances = layer.norm().running_variances();
        const tensor& params = layer.get_layer_params();

        resizable_tensor gradient = random_tensor(samples, channels, rows, columns, 4);
        const resizable_tensor mask = mask_of(layer.dropout(), key, gradient);
        const plain_norm expected(below.output, slope_before, slope_after, mask, params,
                                  m == mode::inference ? &means : nullptr,
                                  m == mode::inference ? &variances : nullptr, gradient);

        const resizable_tensor output = forward_of(layer, below.output);
        check_values(name + ": forward", expected.output, output.host(), 0, 1e-5);
        check(name + ": the running statistics move in training only",
              same_bytes(means, layer.norm().running_means()) == (m != mode::training) &&
                  layer.norm().updates() == (m == mode::training));

        resizable_tensor params_gradient, data_gradient = gradient;
        params_gradient.copy_size(params);
        source_in_place in_place{below.output, data_gradient};
        layer.backward(output, data_gradient, in_place, params_gradient);
        check_values(name + ": gradient of the input", expected.data_gradient, data_gradient.host(),
                     expected.largest_term, 1e-5);
        check_values(name + ": gradient of gamma", expected.gamma_gradient, params_gradient.host(),
                     1, 1e-4);
        check_values(name + ": gradient of beta", expected.beta_gradient,
                     params_gradient.host() + channels, 1, 1e-4);
        if (m != mode::inference && samples > 1 && samples * rows * columns > 2)
            check_against_dlib(name, below.output, slope_before, slope_after, mask, params,
                               gradient, output, data_gradient, params_gradient);

        const resizable_tensor before = below.gradient;
        resizable_tensor sum;
        sum.copy_size(before);
        layer.backward(output, gradient, below, params_gradient);
        dlib::tt::add(sum, before, data_gradient);
        check_close(name + ": gradient added", sum, below.gradient, 1e-6);

        bool threads_agree = true;
        for (const long count : {1L, 3L, 7L}) {
            ffgan::set_threads(count);
            layer.norm().set_mode(m == mode::training ? mode::frozen_statistics : m);
            const resizable_tensor output_again = forward_of(layer, below.output);
            resizable_tensor again = gradient, params_again = params_gradient;
            source_in_place below_again{below.output, again};
            layer.backward(output_again, again, below_again, params_again);
            threads_agree = threads_agree && same_bytes(output, output_again) &&
                            same_bytes(data_gradient, again) &&
                            same_bytes(params_gradient, params_again);
        }
        ffgan::set_threads(2);
        check(name + ": same bytes at 1, 2, 3 and 7 threads", threads_agree);

        Layer copy;
        read(copy, serialized(layer));
        check(name + ": survives serialisation", serialized(copy) == serialized(layer));
    }
}

void activated_norms() {
    struct shape {
        long n, k, rows, columns;
    };
    for (const shape& s : {shape{1, 1, 1, 1},
                           {1, 3, 5, 7},
                           {2, 7, 1, 1},
                           {3, 7, 5, 7},
                           {70, 3, 1, 1},
                           {64, 7, 3, 3},
                           {5, 1, 23, 29},
                           {9, 33, 4, 4},
                           {70, 2, 7, 7},
                           {2, 5, 40, 13}}) {
        check_activated_norm<layers::norm_relu>("norm_relu", 1, 0, 0, s.n, s.k, s.rows, s.columns);
        for (const float rate : {0.0f, 0.3f, 0.5f}) {
            check_activated_norm<layers::norm_leaky_relu_dropout>("norm_leaky_relu_dropout", 1,
                                                                  layers::leaky_slope, rate, s.n,
                                                                  s.k, s.rows, s.columns);
            check_activated_norm<layers::leaky_relu_norm_dropout>("leaky_relu_norm_dropout",
                                                                  layers::leaky_slope, 1, rate, s.n,
                                                                  s.k, s.rows, s.columns);
        }
    }
}

/// Against the two layers that it stands for.
void leaky_relu_dropouts() {
    for (const long size : {1L, 7L, 63L, 1000L, 100003L})
        for (const float rate : {0.0f, 0.3f, 0.5f, 1.0f})
            for (const auto mode :
                 {layers::dropout::mode::training, layers::dropout::mode::inference}) {
                std::ostringstream text;
                text << "leaky_relu_dropout of " << size << ", rate " << rate
                     << (mode == layers::dropout::mode::inference ? ", inference" : "");
                const std::string name = text.str();
                layers::leaky_relu leaky;
                layers::dropout dropout(rate);
                layers::leaky_relu_dropout both(layers::leaky_slope, rate);
                dropout.set_key(5);
                both.dropout().set_key(5);
                dropout.set_mode(mode);
                both.dropout().set_mode(mode);

                const resizable_tensor input = random_tensor(1, 1, 1, size, 1);
                resizable_tensor activated = input, expected = input, output = input, unused;
                leaky.forward_inplace(activated, activated);
                dropout.forward_inplace(activated, expected);
                both.forward_inplace(output, output);
                check(name + ": forward", same_bytes(expected, output));

                const resizable_tensor gradient = random_tensor(1, 1, 1, size, 2);
                resizable_tensor expected_gradient = gradient, actual = gradient;
                dropout.backward_inplace(expected_gradient, expected_gradient, unused);
                leaky.backward_inplace(activated, expected_gradient, expected_gradient, unused);
                both.backward_inplace(output, actual, actual, unused);
                check_close(name + ": gradient in place", expected_gradient, actual, 1e-6);
                resizable_tensor added = random_tensor(1, 1, 1, size, 3), sum = added;
                both.backward_inplace(output, gradient, added, unused);
                dlib::tt::add(sum, sum, expected_gradient);
                check_close(name + ": gradient added", sum, added, 1e-6);

                layers::leaky_relu_dropout copy;
                read(copy, serialized(both));
                check(name + ": survives serialisation", serialized(copy) == serialized(both));
            }
}

template <template <class> class Convolution, template <class> class Norm,
          template <class> class Leaky, template <class> class Dropout, template <class> class Up,
          template <class> class Sigmoid>
using small_network = dlib::loss_mean_squared_per_channel_and_pixel<
    2, Sigmoid<
           Up<Dropout<Leaky<Norm<Convolution<dlib::input<std::array<dlib::matrix<float>, 2>>>>>>>>>;

template <class Sub> using our_convolution = dlib::add_layer<layers::convolution<6, 4, 2, 1>, Sub>;
template <class Sub> using our_norm = dlib::add_layer<layers::batch_norm, Sub>;
template <class Sub> using our_leaky = dlib::add_layer<layers::leaky_relu, Sub>;
template <class Sub> using our_dropout = dlib::add_layer<layers::dropout, Sub>;
template <class Sub>
using our_up = dlib::add_layer<layers::transposed_convolution<2, 4, 2, 1>, Sub>;
template <class Sub> using our_sigmoid = dlib::add_layer<layers::sigmoid, Sub>;
template <class Sub>
using their_convolution = dlib::add_layer<dlib::con_<6, 4, 4, 2, 2, 1, 1>, Sub>;
template <class Sub> using their_up = dlib::add_layer<dlib::cont_<2, 4, 4, 2, 2, 1, 1>, Sub>;

/// The layers inside dlib's add_layer: training runs, and the saved network is dlib's.
void network() {
    using our_network =
        small_network<our_convolution, our_norm, our_leaky, our_dropout, our_up, our_sigmoid>;
    using their_network = small_network<their_convolution, dlib::bn_con, dlib::leaky_relu,
                                        dlib::dropout, their_up, dlib::sig>;
    our_network net;
    std::vector<std::array<dlib::matrix<float>, 2>> images(4);
    for (std::size_t i = 0; i < images.size(); ++i)
        for (auto& plane : images[i])
            plane = dlib::matrix_cast<float>(dlib::randm(12, 14)) * 0.8f;
    resizable_tensor x;
    net.to_tensor(images.begin(), images.end(), x);
    dlib::adam solver(0, 0.5f, 0.999f);
    std::vector<dlib::adam> solvers(our_network::num_computational_layers, solver);
    dlib::layer<3>(net).layer_details() = layers::dropout(0.1f);
    double first = 0, last = 0;
    for (int step = 0; step < 200; ++step) {
        dlib::layer<3>(net).layer_details().set_key(static_cast<std::uint64_t>(step));
        last = net.compute_loss(x, images.begin());
        if (step == 0)
            first = last;
        net.back_propagate_error(x);
        net.update_parameters(solvers, 0.02);
    }
    check("network of our layers learns", last < 0.5 * first,
          std::to_string(first) + " -> " + std::to_string(last));
    net.clean();
    their_network theirs;
    read(theirs, serialized(net));
    check("network of our layers: dlib's network reads and writes the same file",
          serialized(theirs) == serialized(net));
    const our_network copy = net;
    check("network of our layers: a copy is equal", serialized(copy) == serialized(net));
}

} // namespace

int main() {
    ffgan::set_threads(2);
    convolutions();
    transposed_convolutions();
    initial_filters();
    batch_norms();
    activations();
    dropouts();
    activated_norms();
    leaky_relu_dropouts();
    network();
    std::cout << (failures == 0 ? "all checks passed" : std::to_string(failures) + " failed")
              << "\n";
    return failures == 0 ? 0 : 1;
}
