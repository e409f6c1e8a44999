// SPDX-License-Identifier: GPL-3.0-or-later

// Convolutions, transposed ones, and a network of all our layers, against dlib's.

#include "layer_checks.h"
#include "layers/activations.h"
#include "layers/batch_norm.h"
#include "layers/convolution.h"
#include "layers/transposed_convolution.h"

namespace {

using namespace layer_checks;

template <class Ours, class Theirs>
void check_filters(const std::string& name, long samples, long channels, long rows, long columns,
                   bool bias) {
    std::ostringstream text;
    text << name << " on " << samples << "x" << channels << "x" << rows << "x" << columns
         << (bias ? "" : ", no bias");
    const std::string label = text.str();
    source below = random_source(samples, channels, rows, columns, 1);
    source their_below = below;
    Ours ours;
    Theirs theirs;
    if (!bias) {
        ours.disable_bias();
        theirs.disable_bias();
    }
    ours.setup(below);
    theirs.setup(below);
    check(label + ": parameter count",
          ours.get_layer_params().size() == theirs.get_layer_params().size());
    fill(ours.get_layer_params(), 3);
    copy_values(ours.get_layer_params(), theirs.get_layer_params());

    resizable_tensor output, their_output;
    ours.forward(below, output);
    theirs.forward(their_below, their_output);
    check_close(label + ": forward", their_output, output, 1e-5);

    resizable_tensor gradient;
    gradient.copy_size(output);
    fill(gradient, 4);
    resizable_tensor params_gradient, their_params_gradient;
    params_gradient.copy_size(ours.get_layer_params());
    their_params_gradient.copy_size(ours.get_layer_params());
    params_gradient = 5;
    ours.backward(gradient, below, params_gradient);
    theirs.backward(gradient, their_below, their_params_gradient);
    check_close(label + ": gradient of the input", their_below.gradient, below.gradient, 1e-4);
    check_close(label + ": gradient of the parameters", their_params_gradient, params_gradient,
                1e-4);

    const resizable_tensor before = below.gradient;
    const resizable_tensor params_before = params_gradient;
    source again = random_source(samples, channels, rows, columns, 1);
    params_gradient = 6;
    ours.backward(gradient, again, params_gradient);
    check(label + ": the gradients are reproducible",
          same_bytes(before, again.gradient) && same_bytes(params_before, params_gradient));
    ffgan::set_threads(5);
    again = random_source(samples, channels, rows, columns, 1);
    ours.backward(gradient, again, params_gradient);
    check(label + ": the gradient of the input does not depend on the threads",
          same_bytes(before, again.gradient));
    ffgan::set_threads(2);
    ours.backward(gradient, again, params_gradient);
    ours.set_data_gradient(false);
    ours.set_learning_rate_multiplier(0);
    ours.backward(gradient, below, params_gradient);
    check(label + ": switched-off gradients stay untouched",
          same_bytes(before, below.gradient) && same_bytes(params_before, params_gradient));
    ours.set_learning_rate_multiplier(0.25);

    check_file_format<Theirs>(label, ours);
    check_invariance(label, ours, below.output);
}

template <long Filters, long Kernel, int Stride, int Padding>
void check_convolution(long samples, long channels, long rows, long columns, bool bias = true) {
    std::ostringstream name;
    name << "convolution<" << Filters << ", " << Kernel << ", " << Stride << ", " << Padding << ">";
    check_filters<layers::convolution<Filters, Kernel, Stride, Padding>,
                  dlib::con_<Filters, Kernel, Kernel, Stride, Stride, Padding, Padding>>(
        name.str(), samples, channels, rows, columns, bias);
}

template <long Filters, long Kernel, int Stride, int Padding>
void check_transposed(long samples, long channels, long rows, long columns, bool bias = true) {
    std::ostringstream name;
    name << "transposed_convolution<" << Filters << ", " << Kernel << ", " << Stride << ", "
         << Padding << ">";
    check_filters<layers::transposed_convolution<Filters, Kernel, Stride, Padding>,
                  dlib::cont_<Filters, Kernel, Kernel, Stride, Stride, Padding, Padding>>(
        name.str(), samples, channels, rows, columns, bias);
}

void convolutions() {
    for (long samples = 1; samples <= 9; ++samples)
        check_convolution<13, 4, 2, 1>(samples, 5, 11, 9, samples % 2 == 0);
    // The discriminators' layers: exact kernels, smaller images, odd numbers of channels.
    check_convolution<64, 4, 2, 0>(3, 3, 162, 162);
    check_convolution<37, 4, 2, 1>(2, 19, 40, 41, false);
    check_convolution<64, 3, 3, 1>(5, 33, 20, 20, false);
    check_convolution<70, 4, 2, 1>(5, 64, 7, 7, false);
    check_convolution<70, 4, 2, 1>(1, 64, 7, 7);
    check_convolution<3, 1, 1, 0>(4, 65, 3, 3);
    check_convolution<3, 3, 1, 0>(2, 3, 162, 162);
    check_convolution<30, 4, 2, 1>(2, 3, 160, 160);
    check_convolution<20, 3, 1, 0>(3, 31, 40, 38);
    check_convolution<9, 4, 2, 1>(64, 10, 19, 19);
    check_convolution<9, 4, 2, 1>(70, 10, 9, 9);
    // Padding wider than the image's own border, strides beyond the kernel, one pixel.
    check_convolution<5, 5, 4, 4>(2, 3, 6, 5);
    check_convolution<5, 2, 3, 0>(2, 3, 11, 12);
    check_convolution<1, 1, 1, 0>(1, 1, 1, 1);
    check_convolution<4, 3, 1, 1>(2, 2, 3, 700);
}

void transposed_convolutions() {
    for (long samples = 1; samples <= 9; ++samples)
        check_transposed<13, 4, 2, 1>(samples, 5, 6, 7, samples % 2 == 0);
    // The generator's layers.
    check_transposed<512, 4, 1, 0>(1, 100, 1, 1, false);
    check_transposed<512, 4, 1, 0>(9, 100, 1, 1, false);
    check_transposed<41, 3, 3, 1>(1, 130, 4, 4, false);
    check_transposed<41, 3, 3, 1>(64, 30, 4, 4, false);
    check_transposed<128, 4, 2, 1>(3, 33, 10, 10, false);
    check_transposed<64, 4, 2, 1>(2, 17, 40, 40, false);
    check_transposed<3, 4, 2, 0>(1, 64, 80, 80);
    check_transposed<3, 4, 2, 0>(5, 11, 80, 80);
    check_transposed<7, 4, 2, 1>(70, 3, 9, 8);
    check_transposed<5, 2, 3, 0>(2, 3, 4, 5);
    check_transposed<5, 5, 4, 2>(2, 3, 4, 5);
    check_transposed<1, 1, 1, 0>(1, 1, 1, 1);
    check_transposed<2, 3, 1, 1>(2, 3, 2, 700);
}

void initial_filters() {
    source below = random_source(1, 8, 5, 5, 1);
    layers::convolution<6, 3, 1, 1> a, b, c;
    c.set_seed(1);
    a.setup(below);
    b.setup(below);
    c.setup(below);
    check("initial filters: a function of the seed",
          same_bytes(a.get_layer_params(), b.get_layer_params()) &&
              !same_bytes(a.get_layer_params(), c.get_layer_params()));
    const double bound = std::sqrt(6.0 / (8 * 9 + 6));
    double largest = 0, bias = 0;
    for (std::size_t i = 0; i < a.get_layer_params().size(); ++i) {
        const double value = std::abs(a.get_layer_params().host()[i]);
        (i < 6 * 8 * 9 ? largest : bias) = std::max(i < 6 * 8 * 9 ? largest : bias, value);
    }
    check("initial filters: Glorot's bounds, zero biases",
          largest <= bound && largest > 0.95 * bound && bias == 0);

    bool refused = false;
    try {
        source small = random_source(1, 2, 2, 2, 1);
        layers::convolution<1, 4, 2, 0> large;
        large.setup(small);
        forward_of(large, small.output);
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    check("convolution: an image smaller than the kernel is refused", refused);
}

template <template <class> class Convolution, template <class> class Norm,
          template <class> class Leaky, template <class> class Dropout, template <class> class Up,
          template <class> class Sigmoid>
using small_network = dlib::loss_mean_squared_per_channel_and_pixel<
    2, Sigmoid<
           Up<Dropout<Leaky<Norm<Convolution<dlib::input<std::array<dlib::matrix<float>, 2>>>>>>>>>;

template <class Sub> using our_convolution = dlib::add_layer<layers::convolution<6, 4, 2, 1>, Sub>;
template <class Sub> using our_norm = dlib::add_layer<layers::batch_norm, Sub>;
template <class Sub> using our_leaky = dlib::add_layer<layers::leaky_relu, Sub>;
template <class Sub> using our_dropout = dlib::add_layer<layers::dropout, Sub>;
template <class Sub>
using our_up = dlib::add_layer<layers::transposed_convolution<2, 4, 2, 1>, Sub>;
template <class Sub> using our_sigmoid = dlib::add_layer<layers::sigmoid, Sub>;
template <class Sub>
using their_convolution = dlib::add_layer<dlib::con_<6, 4, 4, 2, 2, 1, 1>, Sub>;
template <class Sub> using their_up = dlib::add_layer<dlib::cont_<2, 4, 4, 2, 2, 1, 1>, Sub>;

// The layers inside dlib's add_layer: training runs, and the saved network is dlib's.
void network() {
    using our_network =
        small_network<our_convolution, our_norm, our_leaky, our_dropout, our_up, our_sigmoid>;
    using their_network = small_network<their_convolution, dlib::bn_con, dlib::leaky_relu,
                                        dlib::dropout, their_up, dlib::sig>;
    our_network net;
    std::vector<std::array<dlib::matrix<float>, 2>> images(4);
    for (std::size_t i = 0; i < images.size(); ++i)
        for (auto& plane : images[i])
            plane = dlib::matrix_cast<float>(dlib::randm(12, 14)) * 0.8f;
    resizable_tensor x;
    net.to_tensor(images.begin(), images.end(), x);
    dlib::adam solver(0, 0.5f, 0.999f);
    std::vector<dlib::adam> solvers(our_network::num_computational_layers, solver);
    dlib::layer<3>(net).layer_details() = layers::dropout(0.1f);
    double first = 0, last = 0;
    for (int step = 0; step < 200; ++step) {
        dlib::layer<3>(net).layer_details().set_key(static_cast<std::uint64_t>(step));
        last = net.compute_loss(x, images.begin());
        if (step == 0)
            first = last;
        net.back_propagate_error(x);
        net.update_parameters(solvers, 0.02);
    }
    check("network of our layers learns", last < 0.5 * first,
          std::to_string(first) + " -> " + std::to_string(last));
    net.clean();
    their_network theirs;
    read(theirs, serialized(net));
    check("network of our layers: dlib's network reads and writes the same file",
          serialized(theirs) == serialized(net));
    const our_network copy = net;
    check("network of our layers: a copy is equal", serialized(copy) == serialized(net));
}

} // namespace

int main() {
    ffgan::set_threads(2);
    convolutions();
    transposed_convolutions();
    initial_filters();
    network();
    return summary();
}
