// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/adam.h"

#include "base/float8.h"
#include "base/threads.h"

#include <dlib/cuda/tensor_tools.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#ifdef __AVX__
#include <immintrin.h>
#endif

namespace ffgan {
namespace {

named_tensor flat(const dlib::tensor& t) {
    const float* values = t.host();
    return {{static_cast<long>(t.size())}, {values, values + t.size()}};
}

#ifndef DLIB_USE_CUDA

float8 sqrt8(float8 x) {
#ifdef __AVX__
    return _mm256_sqrt_ps(x);
#else
    for (int i = 0; i < 8; ++i)
        x[i] = std::sqrt(x[i]);
    return x;
#endif
}

// Some parameters that lie side by side, and what belongs to them.
struct piece {
    long size;
    float *values, *first, *second;
    const float* gradient;

    piece part(long begin, long end) const {
        return {end - begin, values + begin, first + begin, second + begin, gradient + begin};
    }
};

void update_piece(const piece& p, float rate, float beta1, float beta2) {
    constexpr float eps = 1e-8f;
    const auto step = [=](auto& first, auto& second, const auto& g, auto&& root) {
        first = beta1 * first + (1 - beta1) * g;
        second = beta2 * second + (1 - beta2) * g * g;
        return -rate * first / (root(second) + eps);
    };
    long i = 0;
    for (; i + 8 <= p.size; i += 8) {
        float8 first = load8(p.first + i), second = load8(p.second + i);
        const float8 change = step(first, second, load8(p.gradient + i), sqrt8);
        store8(p.first + i, first);
        store8(p.second + i, second);
        store8(p.values + i, load8(p.values + i) + change);
    }
    for (; i < p.size; ++i)
        p.values[i] +=
            step(p.first[i], p.second[i], p.gradient[i], [](float x) { return std::sqrt(x); });
}

#endif

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
    std::vector<piece> pieces;
    for (const layer_parameters& layer : layers) {
        moments& m = moments_[layer.name];
        const piece whole{static_cast<long>(layer.values->size()), layer.values->host(),
                          m.first.host(), m.second.host(), layer.gradient->host()};
        for (long begin = 0; begin < whole.size; begin += most)
            pieces.push_back(whole.part(begin, std::min(whole.size, begin + most)));
    }
    // As dlib's compute_adam_update corrects the bias.
    const float corrected = rate * std::sqrt(1 - std::pow(b2, t)) / (1 - std::pow(b1, t));
    parallel_chunks(static_cast<long>(pieces.size()), [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            update_piece(pieces[static_cast<std::size_t>(i)], corrected, b1, b2);
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
                throw std::invalid_argument("the training state lacks '" + prefix + layer.name +
                                            name + "', or has it in another size");
            moment->copy_size(*layer.values);
            std::copy(found->second.values.begin(), found->second.values.end(),
                      moment->host_write_only());
        }
    }
}

} // namespace ffgan
