// SPDX-License-Identifier: GPL-3.0-or-later
#include "networks/fold.h"

#include "layers/batch_norm.h"
#include "networks/architecture.h"

#include <cmath>
#include <cstddef>
#include <iterator>

namespace ffgan {

norm_affine affine_of_norm(const named_tensors& parameters, const std::string& norm) {
    const float eps = static_cast<float>(layers::batch_norm::default_eps);
    const std::vector<float>& mean = parameters.at(norm + ".running_mean").values;
    const std::vector<float>& variance = parameters.at(norm + ".running_var").values;
    const std::vector<float>& weight = parameters.at(norm + ".weight").values;
    const std::vector<float>& bias = parameters.at(norm + ".bias").values;
    norm_affine result;
    for (std::size_t i = 0; i < mean.size(); ++i) {
        result.gain.push_back(weight[i] / std::sqrt(variance[i] + eps));
        result.offset.push_back(bias[i] - mean[i] * result.gain[i]);
    }
    return result;
}

named_tensors fold_norms(const std::string& network, named_tensors parameters, float keep) {
    const std::vector<convolution_facts> all = convolutions_of(network);
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        const convolution_facts& c = all[i];
        const std::string number = std::to_string(i + 1), norm = "norm" + number;
        const std::size_t filters = static_cast<std::size_t>(c.out_channels);
        const std::size_t taps = static_cast<std::size_t>(c.kernel * c.kernel);
        named_tensor& bias = parameters["conv" + number + ".bias"];
        if (bias.values.empty())
            bias = {{c.out_channels}, std::vector<float>(filters, 0.0f)};
        std::vector<float> factors(filters, keep);
        if (c.norm) {
            const norm_affine affine = affine_of_norm(parameters, norm);
            for (std::size_t f = 0; f < filters; ++f) {
                factors[f] *= affine.gain[f];
                bias.values[f] = bias.values[f] * affine.gain[f] + affine.offset[f];
            }
        }
        for (float& value : bias.values)
            value *= keep;
        // Filters are the second axis of a transposed convolution's weights.
        std::vector<float>& weights = parameters.at("conv" + number + ".weight").values;
        const std::size_t inner = c.transposed ? taps : weights.size() / filters;
        for (std::size_t block = 0; block * inner < weights.size(); ++block)
            for (std::size_t k = 0; k < inner; ++k)
                weights[block * inner + k] *= factors[block % filters];
    }
    for (auto it = parameters.begin(); it != parameters.end();)
        it = it->first.rfind("norm", 0) == 0 ? parameters.erase(it) : std::next(it);
    return parameters;
}

} // namespace ffgan
