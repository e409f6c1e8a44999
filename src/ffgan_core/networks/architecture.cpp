// SPDX-License-Identifier: GPL-3.0-or-later
#include "networks/architecture.h"

#include "networks/networks.h"

#include <functional>
#include <numeric>
#include <stdexcept>
#include <type_traits>

namespace ffgan {
namespace {

template <long filters, long kernel, int stride, int padding>
void add(const layers::convolution<filters, kernel, stride, padding>*,
         std::vector<convolution_facts>& all) {
    all.push_back({false, filters, kernel, stride, padding, 0, 0, filters, 0, false, true});
}

template <long filters, long kernel, int stride, int padding>
void add(const layers::transposed_convolution<filters, kernel, stride, padding>*,
         std::vector<convolution_facts>& all) {
    all.push_back({true, filters, kernel, stride, padding, 0, 0, filters, 0, false, true});
}

void add(const layers::activated_norm*, std::vector<convolution_facts>& all) {
    all.back().norm = true;
}

void add(const void*, std::vector<convolution_facts>&) {}

// Visits the types from the input to the output.
template <typename layer> void walk(std::vector<convolution_facts>& all) {
    if constexpr (dlib::is_nonloss_layer_type<typename layer::subnet_type>::value)
        walk<typename layer::subnet_type>(all);
    add(static_cast<const typename layer::layer_details_type*>(nullptr), all);
    if constexpr (std::is_base_of_v<layers::activated_norm, typename layer::layer_details_type>)
        if constexpr (layer::layer_details_type::starts_with_norm)
            all.back().bias = false; // the norm would subtract it again
}

template <typename net> std::vector<convolution_facts> facts(long channels, long size) {
    std::vector<convolution_facts> all;
    walk<net>(all);
    for (convolution_facts& c : all) {
        c.in_channels = channels;
        c.in_size = size;
        c.out_size = c.transposed ? c.stride * (size - 1) + c.kernel - 2 * c.padding
                                  : (size + 2 * c.padding - c.kernel) / c.stride + 1;
        channels = c.filters;
        size = c.out_size;
    }
    return all;
}

} // namespace

std::vector<convolution_facts> convolutions_of(const std::string& network) {
    if (network == "generator")
        return facts<generator_network>(latent_size, 1);
    if (network == "program")
        return facts<program_network>(image_channels, image_size);
    if (network == "table")
        return facts<table_network>(image_channels, image_size);
    throw std::invalid_argument("there is no network '" + network +
                                "': choose generator, program or table");
}

std::map<std::string, std::vector<long>> parameter_shapes(const std::string& network) {
    std::map<std::string, std::vector<long>> shapes;
    const std::vector<convolution_facts> all = convolutions_of(network);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const convolution_facts& c = all[i];
        const std::string number = std::to_string(i + 1);
        const std::string conv = "conv" + number;
        shapes[conv + ".weight"] = {c.transposed ? c.in_channels : c.filters,
                                    c.transposed ? c.filters : c.in_channels, c.kernel, c.kernel};
        if (c.bias)
            shapes[conv + ".bias"] = {c.filters};
        if (c.norm)
            for (const char* tensor : {".weight", ".bias", ".running_mean", ".running_var"})
                shapes["norm" + number + tensor] = {c.filters};
    }
    if (network != "generator") {
        const convolution_facts& last = all.back();
        shapes["fc.weight"] = {1, last.out_channels * last.out_size * last.out_size};
        shapes["fc.bias"] = {1};
    }
    return shapes;
}

void check_parameters(const std::string& network, const named_tensors& parameters) {
    check_parameters(parameter_shapes(network), parameters);
}

void check_parameters(const std::map<std::string, std::vector<long>>& shapes,
                      const named_tensors& parameters) {
    for (const auto& [name, shape] : shapes) {
        const auto found = parameters.find(name);
        if (found == parameters.end())
            throw std::invalid_argument("the parameter '" + name + "' is missing");
        const long size = std::accumulate(shape.begin(), shape.end(), 1L, std::multiplies<>());
        if (found->second.shape != shape || static_cast<long>(found->second.values.size()) != size)
            throw std::invalid_argument("the parameter '" + name + "' has another shape");
    }
    for (const auto& entry : parameters)
        if (shapes.count(entry.first) == 0)
            throw std::invalid_argument("the parameter '" + entry.first + "' is unknown");
}

} // namespace ffgan
