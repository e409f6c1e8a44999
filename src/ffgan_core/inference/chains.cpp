// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/chains.h"

#include "base/shapes.h"
#include "layers/activations.h"
#include "networks/architecture.h"
#include "networks/fold.h"
#include "plans/pixel_squares.h"

#include <stdexcept>
#include <utility>

namespace ffgan {
namespace {

using layers::convolution_shape;
using layers::tiling;

std::size_t count(long n) { return static_cast<std::size_t>(n); }

tiling tiling_of(const convolution_facts& c) {
    if (c.transposed)
        return {convolution_shape::from_map(c.in_channels, c.in_size, c.in_size, c.out_channels,
                                            c.kernel, c.stride, c.padding),
                tiling::direction::spread};
    return {convolution_shape::over_image(c.in_channels, c.in_size, c.in_size, c.out_channels,
                                          c.kernel, c.stride, c.padding),
            tiling::direction::correlate};
}

// Convolution i (from 1 on) of a network whose norms are folded. Takes its filters away: a model is
// many megabytes, and whoever waits for one face waits for each copy.
feed_forward_layer layer_of(named_tensors& folded, const convolution_facts& c, std::size_t i) {
    const std::string name = "conv" + std::to_string(i);
    return {name,
            tiling_of(c),
            std::move(folded.at(name + ".weight").values),
            folded.at(name + ".bias").values,
            false,
            0,
            {},
            {}};
}

// The last layer of the generator, whose phases all see the same 2 x 2 places of the map, as one
// convolution from these to the 2 x 2 pixels.
feed_forward_layer pixel_squares(const named_tensors& parameters, const convolution_facts& c,
                                 std::size_t i) {
    const std::string name = "conv" + std::to_string(i);
    if (c.kernel != 4 || c.stride != 2 || c.padding != 0)
        throw std::logic_error("the last transposed convolution has another kernel than 4, stride "
                               "than 2 or padding than 0");
    const convolution_shape shape = convolution_shape::from_map(
        c.in_channels, c.in_size, c.in_size, c.out_channels, c.kernel, c.stride, c.padding);
    return {name,
            tiling(layers::shape_of_squares(shape), tiling::direction::correlate),
            layers::filters_of_squares(shape, parameters.at(name + ".weight").values.data()),
            layers::bias_of_squares(shape, parameters.at(name + ".bias").values.data()),
            false,
            0,
            {},
            {}};
}

// The first layer of "program", whose filters of 4 x 4 pixels never cut a square of 2 x 2, as one
// of 2 x 2 squares: a stride less, and enough channels for minimal filtering. What `layer` has
// besides its filters stays.
void take_squares(feed_forward_layer& layer, const convolution_facts& c) {
    if (c.kernel != 4 || c.stride != square_side || c.padding != 0 || c.in_size % square_side != 0)
        throw std::logic_error("the first convolution has another kernel than 4, stride than 2 or "
                               "padding than 0");
    constexpr long channels = 16; // a whole cache line for each square: 12, and zeros
    const long side = c.in_size / square_side;
    const convolution_shape shape =
        convolution_shape::over_image(channels, side, side, c.filters, 2, 1, 0);
    std::vector<float> filters(count(c.filters * channels * 4), 0.0f);
    for (long f = 0; f < c.filters; ++f)
        for (long in = 0; in < c.in_channels; ++in)
            for (long row = 0; row < c.kernel; ++row)
                for (long column = 0; column < c.kernel; ++column) {
                    const long channel =
                        (row % square_side * square_side + column % square_side) * c.in_channels +
                        in;
                    const long tap = row / square_side * 2 + column / square_side;
                    filters[count((f * channels + channel) * 4 + tap)] = layer.filters[count(
                        ((f * c.in_channels + in) * c.kernel + row) * c.kernel + column)];
                }
    layer.filters = std::move(filters);
    layer.how = tiling(shape, tiling::direction::correlate);
}

} // namespace

std::unique_ptr<feed_forward> make_generator_chain(named_tensors parameters, precision products) {
    check_parameters("generator", parameters);
    const std::vector<convolution_facts> all = convolutions_of("generator");
    named_tensors folded = fold_norms("generator", std::move(parameters), 1.0f);
    std::vector<feed_forward_layer> chain;
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        chain.push_back(layer_of(folded, all[i], i + 1));
        chain.back().activate = true;
    }
    chain.push_back(pixel_squares(folded, all.back(), all.size()));
    return std::make_unique<feed_forward>(std::move(chain), products);
}

std::unique_ptr<feed_forward> make_discriminator_chain(const std::string& network,
                                                       named_tensors parameters, float dropout) {
    if (!(dropout >= 0 && dropout < 1))
        throw std::invalid_argument("dropout is not in [0, 1)");
    check_parameters(network, parameters);
    const std::vector<convolution_facts> all = convolutions_of(network);
    const float keep = 1.0f - dropout;
    std::vector<feed_forward_layer> chain;
    if (network == "table") {
        // The norm follows the activation, and zeros around its output are no longer zeros before
        // it: it cannot become part of the next convolution either.
        for (std::size_t i = 0; i < all.size(); ++i) {
            chain.push_back(layer_of(parameters, all[i], i + 1));
            chain.back().activate = true;
            chain.back().slope = layers::leaky_slope;
            const norm_affine norm = affine_of_norm(parameters, "norm" + std::to_string(i + 1));
            for (std::size_t k = 0; k < norm.gain.size(); ++k) {
                chain.back().scale.push_back(norm.gain[k] * keep);
                chain.back().shift.push_back(norm.offset[k] * keep);
            }
        }
    } else {
        named_tensors folded = fold_norms(network, std::move(parameters), keep);
        for (std::size_t i = 0; i < all.size(); ++i) {
            chain.push_back(layer_of(folded, all[i], i + 1));
            chain.back().activate = i + 1 < all.size();
            chain.back().slope = layers::leaky_slope;
        }
        take_squares(chain.front(), all.front());
    }
    return std::make_unique<feed_forward>(std::move(chain));
}

} // namespace ffgan
