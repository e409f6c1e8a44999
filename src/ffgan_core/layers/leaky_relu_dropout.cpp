// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/leaky_relu_dropout.h"

#include "base/threads.h"
#include "kernels/pointwise.h"

#include <algorithm>

namespace ffgan::layers {
namespace {

// f(i, count) for every eight of n elements and the rest, in parallel.
template <class F> void by_eights_in_parallel(long n, F&& f) {
    constexpr long grain = 64; // elements
    parallel_chunks((n + grain - 1) / grain, [&](long, long first, long last) {
        const long begin = first * grain;
        by_eights(std::min(n, last * grain) - begin,
                  [&](long i, auto count) { f(begin + i, count); });
    });
}

} // namespace

#ifdef DLIB_USE_CUDA

void leaky_relu_dropout::forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
    dlib::tt::leaky_relu(output, input, slope_);
    dropout_.forward_inplace(output, output);
}

void leaky_relu_dropout::backward_inplace(const dlib::tensor& computed_output,
                                          const dlib::tensor& gradient_input,
                                          dlib::tensor& data_grad, dlib::tensor& params_grad) {
    // What was dropped from the output has no gradient, and the rest has the sign it had before.
    if (is_same_object(gradient_input, data_grad)) {
        dropout_.backward_inplace(data_grad, data_grad, params_grad);
        dlib::tt::leaky_relu_gradient(data_grad, computed_output, data_grad, slope_);
    } else {
        dlib::resizable_tensor of_activation = gradient_input;
        dropout_.backward_inplace(of_activation, of_activation, params_grad);
        dlib::tt::leaky_relu_gradient(data_grad, computed_output, of_activation, slope_);
    }
}

#else

void leaky_relu_dropout::forward_inplace(const dlib::tensor& input, dlib::tensor& output) {
    const long n = static_cast<long>(input.size());
    dropout_.draw(input);
    const float* x = input.host();
    float* y = output.host();
    by_eights_in_parallel(n, [=, slope = slope_, mask = dropout_.mask(),
                              factor = dropout_.factor()](long i, auto count) {
        float8 v = load_up_to_8(x + i, count);
        v = leaky8(v, v, slope);
        if (mask)
            v = kept(mask_bits(mask, i, count), v);
        store_up_to_8(y + i, count, v * factor);
    });
}

void leaky_relu_dropout::backward_inplace(const dlib::tensor& computed_output,
                                          const dlib::tensor& gradient_input,
                                          dlib::tensor& data_grad, dlib::tensor&) {
    const bool add = !is_same_object(gradient_input, data_grad);
    const float* y = computed_output.host();
    const float* g = gradient_input.host();
    float* d = data_grad.host();
    by_eights_in_parallel(static_cast<long>(data_grad.size()),
                          [=, slope = slope_, mask = dropout_.mask(),
                           factor = dropout_.factor()](long i, auto count) {
                              float8 v = load_up_to_8(g + i, count);
                              if (mask)
                                  v = kept(mask_bits(mask, i, count), v);
                              // What is kept has the sign it had before.
                              v = leaky8(load_up_to_8(y + i, count), v, slope) * factor;
                              if (add)
                                  v += load_up_to_8(d + i, count);
                              store_up_to_8(d + i, count, v);
                          });
}

#endif

void serialize(const leaky_relu_dropout& item, std::ostream& out) {
    dlib::serialize(std::string("leaky_relu_"), out);
    dlib::serialize(item.slope_, out);
    serialize(item.dropout_, out);
}

void deserialize(leaky_relu_dropout& item, std::istream& in) {
    std::string version;
    dlib::deserialize(version, in);
    if (version != "leaky_relu_")
        throw dlib::serialization_error("expected 'leaky_relu_' in the file, found '" + version +
                                        "'");
    dlib::deserialize(item.slope_, in);
    deserialize(item.dropout_, in);
}

std::ostream& operator<<(std::ostream& out, const leaky_relu_dropout& item) {
    return out << "leaky_relu\t(alpha=" << item.slope_ << ") " << item.dropout_;
}

void to_xml(const leaky_relu_dropout& item, std::ostream& out) {
    out << "<leaky_relu alpha='" << item.slope_ << "'/>\n";
    to_xml(item.dropout_, out);
}

} // namespace ffgan::layers
