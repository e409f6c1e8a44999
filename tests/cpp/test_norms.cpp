// SPDX-License-Identifier: GPL-3.0-or-later

// Batch norms, alone and with the activation and the dropout around them, against dlib's.

#include "layer_checks.h"
#include "layers/activated_norm.h"
#include "layers/activations.h"
#include "layers/batch_norm.h"

namespace {

using namespace layer_checks;

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

// activated_norm in plain double precision, straight from the formulas.
struct plain_norm {
    std::vector<double> output, data_gradient, gamma_gradient, beta_gradient;
    double largest_term = 0; // what the gradient's rounding errors are relative to

    // `gradient` is set to 0 where the rounding of float32 could decide on which side of 0 the
    // activation behind the norm is.
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

// dlib's own layers one after the other, in training.
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

} // namespace

int main() {
    ffgan::set_threads(2);
    batch_norms();
    activated_norms();
    return summary();
}
