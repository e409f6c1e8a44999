// SPDX-License-Identifier: GPL-3.0-or-later

// Activations and dropout, alone and as one layer, against dlib's.

#include "layer_checks.h"
#include "layers/activations.h"
#include "layers/leaky_relu_dropout.h"

namespace {

using namespace layer_checks;

// An in-place layer against dlib's: in place and into another tensor, the gradient added and
// assigned.
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
    std::vector<std::uint64_t> a(static_cast<std::size_t>(layers::mask_words(size))), b(a);
    layers::dropout_mask(1, 0.5f, size, a.data());
    layers::dropout_mask(2, 0.5f, size, b.data());
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

// Against the two layers that it stands for.
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

} // namespace

int main() {
    ffgan::set_threads(2);
    activations();
    dropouts();
    leaky_relu_dropouts();
    return summary();
}
