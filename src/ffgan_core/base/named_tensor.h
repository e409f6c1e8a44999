// SPDX-License-Identifier: GPL-3.0-or-later
//
// Parameters travel between the networks, the model files and Python by name: the names are the
// contract, the order of layers is not. This header is that contract's C++ type, free of both dlib
// and Python so that every part can include it.

#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace ffgan {

struct named_tensor {
    std::vector<long> shape;
    std::vector<float> values; // row-major
};

using named_tensors = std::map<std::string, named_tensor>;

// A number among tensors, as a training state has them.
inline named_tensor scalar(double value) { return {{1}, {static_cast<float>(value)}}; }

// Throws std::invalid_argument that names the number which is missing.
inline float read_number(const named_tensors& state, const std::string& name) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.values.size() != 1)
        throw std::invalid_argument("the training state lacks '" + name + "'");
    return found->second.values[0];
}
// What to throw for tensors of which more is expected.
inline std::invalid_argument missing_or_other_size(const std::string& name) {
    return std::invalid_argument("the training state lacks '" + name +
                                 "', or has it in another size");
}
inline long read_counter(const named_tensors& state, const std::string& name) {
    return static_cast<long>(read_number(state, name));
}

// Those whose names begin with the prefix, without it.
inline named_tensors with_prefix(const std::string& prefix, const named_tensors& all) {
    named_tensors result;
    for (auto i = all.lower_bound(prefix); i != all.end() && i->first.rfind(prefix, 0) == 0; ++i)
        result[i->first.substr(prefix.size())] = i->second;
    return result;
}

inline void add_with_prefix(const std::string& prefix, const named_tensors& some,
                            named_tensors& all) {
    for (const auto& [name, tensor] : some)
        all[prefix + name] = tensor;
}

} // namespace ffgan
