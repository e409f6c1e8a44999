// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/adam.h"

#include "base/threads.h"
#include "kernels/adam_kernel.h"

#include <dlib/cuda/tensor_tools.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ffgan {
namespace {

named_tensor flat(const dlib::tensor& t) {
    const float* values = t.host();
    return {{static_cast<long>(t.size())}, {values, values + t.size()}};
}

} // namespace

void adam::update(const std::vector<layer_parameters>& layers, double learning_rate, double beta1,
                  double beta2) {
    ++updates_;
    for (const layer_parameters& layer : layers) {
        moments& m = moments_[layer.name];
        if (m.first.size() == 0) {
            m.first.copy_size(*layer.values);
            m.second.copy_size(*layer.values);
            m.first = 0;
            m.second = 0;
        }
    }
    const float t = static_cast<float>(updates_), rate = static_cast<float>(learning_rate);
    const float b1 = static_cast<float>(beta1), b2 = static_cast<float>(beta2);
#ifdef DLIB_USE_CUDA
    dlib::resizable_tensor change;
    for (const layer_parameters& layer : layers) {
        moments& m = moments_[layer.name];
        change.copy_size(*layer.values);
        dlib::tt::compute_adam_update(0, layer.values->size(), change, m.first, m.second, t, rate,
                                      0.0f, b1, b2, *layer.values, *layer.gradient);
        dlib::tt::add(*layer.values, *layer.values, change);
    }
#else
    constexpr long most = 16 * 1024; // parameters of a piece, so that threads get equal parts
    std::vector<adam_piece> pieces;
    for (const layer_parameters& layer : layers) {
        moments& m = moments_[layer.name];
        const adam_piece whole{static_cast<long>(layer.values->size()), layer.values->host(),
                               m.first.host(), m.second.host(), layer.gradient->host()};
        for (long begin = 0; begin < whole.size; begin += most)
            pieces.push_back(whole.part(begin, std::min(whole.size, begin + most)));
    }
    // As dlib's compute_adam_update corrects the bias.
    const float corrected = rate * std::sqrt(1 - std::pow(b2, t)) / (1 - std::pow(b1, t));
    parallel_chunks(static_cast<long>(pieces.size()), [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            update_adam(pieces[static_cast<std::size_t>(i)], corrected, b1, b2);
    });
#endif
}

void adam::add_state(const std::string& prefix, named_tensors& state) const {
    state[prefix + "updates"] = scalar(static_cast<double>(updates_));
    for (const auto& [layer, m] : moments_) {
        state[prefix + layer + ".first"] = flat(m.first);
        state[prefix + layer + ".second"] = flat(m.second);
    }
}

void adam::load_state(const std::string& prefix, const std::vector<layer_parameters>& layers,
                      const named_tensors& state) {
    updates_ = read_counter(state, prefix + "updates");
    moments_.clear();
    if (updates_ == 0)
        return;
    for (const layer_parameters& layer : layers) {
        moments& m = moments_[layer.name];
        for (auto [moment, name] :
             {std::pair(&m.first, ".first"), std::pair(&m.second, ".second")}) {
            const auto found = state.find(prefix + layer.name + name);
            if (found == state.end() || found->second.values.size() != layer.values->size())
                throw missing_or_other_size(prefix + layer.name + name);
            moment->copy_size(*layer.values);
            std::copy(found->second.values.begin(), found->second.values.end(),
                      moment->host_write_only());
        }
    }
}

} // namespace ffgan
