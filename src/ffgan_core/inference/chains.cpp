// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/chains.h"

#include "networks/architecture.h"
#include "layers/activations.h"
#include "layers/batch_norm.h"
#include "base/shapes.h"

#include <cmath>
#include <stdexcept>

namespace ffgan {
namespace {

using layers::convolution_shape;
using layers::tiling;

std::size_t count(long n) { return static_cast<std::size_t>(n); }

const std::vector<float>* find(const named_tensors& parameters, const std::string& name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? nullptr : &found->second.values;
}

tiling tiling_of(const convolution_facts& c) {
    if (c.transposed)
        return {convolution_shape::from_map(c.in_channels, c.in_size, c.in_size, c.out_channels,
                                            c.kernel, c.stride, c.padding),
                tiling::direction::spread};
    return {convolution_shape::over_image(c.in_channels, c.in_size, c.in_size, c.out_channels,
                                          c.kernel, c.stride, c.padding),
            tiling::direction::correlate};
}

/// A batch norm on its stored statistics: x * gain + offset.
struct affine {
    std::vector<float> gain, offset;
};

affine affine_of(const named_tensors& parameters, const std::string& norm) {
    const float eps = static_cast<float>(layers::batch_norm::default_eps);
    const std::vector<float>& mean = parameters.at(norm + ".running_mean").values;
    const std::vector<float>& variance = parameters.at(norm + ".running_var").values;
    const std::vector<float>& weight = parameters.at(norm + ".weight").values;
    const std::vector<float>& bias = parameters.at(norm + ".bias").values;
    affine result;
    for (std::size_t i = 0; i < mean.size(); ++i) {
        result.gain.push_back(weight[i] / std::sqrt(variance[i] + eps));
        result.offset.push_back(bias[i] - mean[i] * result.gain[i]);
    }
    return result;
}

/// filters times a factor per output channel.
void scale_filters(std::vector<float>& filters, const tiling& how,
                   const std::vector<float>& factors) {
    const convolution_shape& s = how.shape;
    const long taps = s.kernel * s.kernel;
    const bool correlates = how.way == tiling::direction::correlate;
    for (long f = 0; f < s.filters; ++f)
        for (long c = 0; c < s.channels; ++c)
            for (long k = 0; k < taps; ++k)
                filters[count((f * s.channels + c) * taps + k)] *=
                    factors[count(correlates ? f : c)];
}

/// Convolution i (from 1 on), with the norm that follows it right away folded into it, and all
/// times `keep`, which a (leaky) ReLU commutes with.
feed_forward_layer folded(const named_tensors& parameters, const convolution_facts& c,
                          std::size_t i, float keep) {
    const std::string name = "conv" + std::to_string(i);
    feed_forward_layer layer{
        name, tiling_of(c), parameters.at(name + ".weight").values, {}, false, 0, {}, {}};
    std::vector<float> factors(count(c.out_channels), keep);
    layer.bias.assign(count(c.out_channels), 0.0f);
    if (const std::vector<float>* bias = find(parameters, name + ".bias"))
        layer.bias = *bias;
    const std::string norm = "norm" + std::to_string(i);
    if (find(parameters, norm + ".weight") != nullptr) {
        const affine a = affine_of(parameters, norm);
        for (std::size_t k = 0; k < factors.size(); ++k) {
            factors[k] *= a.gain[k];
            layer.bias[k] = layer.bias[k] * a.gain[k] + a.offset[k];
        }
    }
    for (float& value : layer.bias)
        value *= keep;
    scale_filters(layer.filters, layer.how, factors);
    return layer;
}

/// The last layer of the generator, whose phases all see the same 2 x 2 places of the map, as one
/// convolution from these to the 2 x 2 pixels.
feed_forward_layer pixel_squares(const named_tensors& parameters, const convolution_facts& c,
                                 std::size_t i) {
    const std::string name = "conv" + std::to_string(i);
    if (c.kernel != 4 || c.stride != 2 || c.padding != 0)
        throw std::logic_error("the last transposed convolution has another kernel than 4, stride "
                               "than 2 or padding than 0");
    const long squares = 4;
    const convolution_shape shape = convolution_shape::over_image(
        c.in_channels, c.in_size, c.in_size, squares * c.out_channels, 2, 1, 1);
    const std::vector<float>& given = parameters.at(name + ".weight").values;
    std::vector<float> filters(given.size());
    // Output row 2 Y + y comes from rows Y - 1 and Y, through taps y + 2 and y; columns likewise.
    for (long y = 0; y < 2; ++y)
        for (long x = 0; x < 2; ++x)
            for (long out = 0; out < c.out_channels; ++out)
                for (long in = 0; in < c.in_channels; ++in)
                    for (long a = 0; a < 2; ++a)
                        for (long b = 0; b < 2; ++b) {
                            const long filter = (2 * y + x) * c.out_channels + out;
                            filters[count(((filter * c.in_channels + in) * 2 + a) * 2 + b)] =
                                given[count(((in * c.out_channels + out) * 4 + y + 2 * (1 - a)) *
                                                4 +
                                            x + 2 * (1 - b))];
                        }
    std::vector<float> bias;
    for (long square = 0; square < squares; ++square)
        for (const float value : parameters.at(name + ".bias").values)
            bias.push_back(value);
    return {name, tiling(shape, tiling::direction::correlate), filters, bias, false, 0, {}, {}};
}

} // namespace

std::unique_ptr<feed_forward> make_generator_chain(const named_tensors& parameters) {
    check_parameters("generator", parameters);
    const std::vector<convolution_facts> all = convolutions_of("generator");
    std::vector<feed_forward_layer> chain;
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        chain.push_back(folded(parameters, all[i], i + 1, 1.0f));
        chain.back().activate = true;
    }
    chain.push_back(pixel_squares(parameters, all.back(), all.size()));
    return std::make_unique<feed_forward>(std::move(chain));
}

std::unique_ptr<feed_forward> make_discriminator_chain(const std::string& network,
                                                       const named_tensors& parameters,
                                                       float dropout) {
    if (!(dropout >= 0 && dropout < 1))
        throw std::invalid_argument("dropout is not in [0, 1)");
    check_parameters(network, parameters);
    const std::vector<convolution_facts> all = convolutions_of(network);
    const float keep = 1.0f - dropout;
    std::vector<feed_forward_layer> chain;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (network == "table") {
            // The norm follows the activation, and zeros around its output are no longer zeros
            // before it: it cannot become part of the next convolution either.
            const std::string name = "conv" + std::to_string(i + 1);
            chain.push_back({name,
                             tiling_of(all[i]),
                             parameters.at(name + ".weight").values,
                             parameters.at(name + ".bias").values,
                             true,
                             layers::leaky_slope,
                             {},
                             {}});
            const affine a = affine_of(parameters, "norm" + std::to_string(i + 1));
            for (std::size_t k = 0; k < a.gain.size(); ++k) {
                chain.back().scale.push_back(a.gain[k] * keep);
                chain.back().shift.push_back(a.offset[k] * keep);
            }
            continue;
        }
        const bool last = i + 1 == all.size();
        chain.push_back(folded(parameters, all[i], i + 1, last ? 1.0f : keep));
        chain.back().activate = !last;
        chain.back().slope = layers::leaky_slope;
    }
    return std::make_unique<feed_forward>(std::move(chain));
}

} // namespace ffgan
