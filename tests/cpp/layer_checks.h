// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the programs that hold our layers against dlib's share. A program prints one line per check
// and exits 1 when any failed.

#pragma once

#include "base/random.h"
#include "base/threads.h"
#include "checks.h"
#include "kernels/dropout_kernels.h"
#include "layers/dropout.h"

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

namespace layer_checks {

using dlib::resizable_tensor;
using dlib::tensor;
namespace layers = ffgan::layers;

using checks::check;
using checks::failures;

// What a layer sees of the network below it.
struct source {
    resizable_tensor output, gradient;
    const tensor& get_output() const { return output; }
    tensor& get_gradient_input() { return gradient; }
};

inline void fill(tensor& t, std::uint64_t seed) {
    float* values = t.host();
    for (std::size_t i = 0; i < t.size(); ++i)
        values[i] = 2 * ffgan::uniform_from(ffgan::counter_random(seed, 7, i)) - 1;
}

// Assigning one tensor& to another would copy its sizes but not its values.
inline void copy_values(const tensor& from, tensor& to) {
    std::memcpy(to.host(), from.host(), from.size() * sizeof(float));
}

inline resizable_tensor random_tensor(long n, long k, long rows, long columns, std::uint64_t seed) {
    resizable_tensor t(n, k, rows, columns);
    fill(t, seed);
    return t;
}

inline source random_source(long n, long k, long rows, long columns, std::uint64_t seed) {
    return {random_tensor(n, k, rows, columns, seed), random_tensor(n, k, rows, columns, seed + 1)};
}

// Largest difference relative to the largest magnitude of the expected tensor.
inline double relative_error(const tensor& expected, const tensor& actual) {
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

inline void check_close(const std::string& name, const tensor& expected, const tensor& actual,
                        double tolerance) {
    const double error = relative_error(expected, actual);
    std::ostringstream text;
    text << "relative error " << error << ", allowed " << tolerance;
    check(name, error <= tolerance, text.str());
}

inline bool same_bytes(const tensor& a, const tensor& b) {
    return have_same_dimensions(a, b) &&
           std::memcmp(a.host(), b.host(), a.size() * sizeof(float)) == 0;
}

inline resizable_tensor sample_of(const tensor& t, long sample) {
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

// Ours -> dlib's -> ours: the same bytes at every step.
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

// Forward passes must not depend on the number of threads, nor a sample on its batch.
template <class Layer>
inline void check_invariance(const std::string& name, Layer& layer, const tensor& input) {
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

// A layer below that lets the gradient of its output be overwritten by that of its input.
struct source_in_place {
    const tensor& output;
    tensor& gradient;
    const tensor& get_output() const { return output; }
    tensor& gradient_to_overwrite() { return gradient; }
};

// The elements that a dropout layer keeps, as ones and zeros; factor times that.
inline resizable_tensor mask_of(const layers::dropout& layer, std::uint64_t key,
                                const tensor& like) {
    resizable_tensor mask;
    mask.copy_size(like);
    mask = layer.factor();
    if (layer.get_drop_rate() == 0 || layer.get_mode() == layers::dropout::mode::inference)
        return mask;
    const long n = static_cast<long>(like.size());
    std::vector<std::uint64_t> bits(static_cast<std::size_t>(layers::mask_words(n)));
    layers::dropout_mask(key, layer.get_drop_rate(), n, bits.data());
    for (std::size_t i = 0; i < mask.size(); ++i)
        mask.host()[i] = static_cast<float>(bits[i / 64] >> (i % 64) & 1);
    return mask;
}

// The exit status.
inline int summary() {
    std::cout << (failures == 0 ? "all checks passed" : std::to_string(failures) + " failed")
              << "\n";
    return failures == 0 ? 0 : 1;
}

} // namespace layer_checks
