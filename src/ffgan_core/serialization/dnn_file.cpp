// SPDX-License-Identifier: GPL-3.0-or-later

#include "serialization/dnn_file.h"
#include "serialization/dnn_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <dlib/dnn.h>

namespace ffgan {
namespace {

// The file's layout is the type of these networks, so they are dlib's own layers throughout,
// whatever the rest of the core computes with.

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using conp =
    dlib::add_layer<dlib::con_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using contp =
    dlib::add_layer<dlib::cont_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using up = dlib::relu<dlib::bn_con<contp<filters, kernel, stride, padding, SUBNET>>>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using down =
    dlib::dropout<dlib::leaky_relu<dlib::bn_con<conp<filters, kernel, stride, padding, SUBNET>>>>;

using noise = std::array<dlib::matrix<float, 1, 1>, 100>;
using image = dlib::matrix<dlib::rgb_pixel>;

// clang-format off
using generator_net =
    dlib::loss_binary_log_per_pixel<dlib::fc_no_bias<1,
    dlib::sig<contp<3, 4, 2, 0,
    up<64, 4, 2, 1,
    up<128, 4, 2, 1,
    up<128, 4, 2, 1,
    up<256, 3, 3, 1,
    up<512, 4, 1, 0,
    dlib::input<noise>
    >>>>>>>>>;

using discriminator_net =
    dlib::loss_binary_log<dlib::fc<1,
    conp<3, 1, 1, 0,
    down<512, 4, 2, 1,
    down<256, 3, 3, 1,
    down<128, 4, 2, 1,
    down<128, 4, 2, 1,
    dlib::dropout<dlib::leaky_relu<conp<64, 4, 2, 0,
    dlib::input<image>
    >>>>>>>>>>;
// clang-format on

constexpr int convolutions = 6; // of either network
constexpr float leaky_slope = 0.2F;
constexpr long image_size = 162;

// bn_ shows its running statistics to nobody but its serialisation.
void set_statistics(dlib::bn_<dlib::CONV_MODE>& layer, const dlib::resizable_tensor& running_mean,
                    const dlib::resizable_tensor& running_var) {
    std::stringstream stream;
    serialize(layer, stream);
    std::string version;
    dlib::resizable_tensor parameters, means, inverse_deviations, old_mean, old_var;
    dlib::alias_tensor gamma, beta;
    unsigned long updates, window;
    dlib::deserialize(version, stream);
    dlib::deserialize(parameters, stream);
    dlib::deserialize(gamma, stream);
    dlib::deserialize(beta, stream);
    dlib::deserialize(means, stream);
    dlib::deserialize(inverse_deviations, stream);
    dlib::deserialize(old_mean, stream);
    dlib::deserialize(old_var, stream);
    dlib::deserialize(updates, stream);
    dlib::deserialize(window, stream);

    std::stringstream changed;
    dlib::serialize(version, changed);
    dlib::serialize(parameters, changed);
    dlib::serialize(gamma, changed);
    dlib::serialize(beta, changed);
    dlib::serialize(means, changed);
    dlib::serialize(inverse_deviations, changed);
    dlib::serialize(running_mean, changed);
    dlib::serialize(running_var, changed);
    // A full window: with a count of 0, a dlib program that trains on would forget the statistics
    // at its first batch.
    dlib::serialize(window, changed);
    dlib::serialize(window, changed);
    changed << stream.rdbuf();
    deserialize(layer, changed);
}

class parameter_writer {
  public:
    parameter_writer(const named_tensors& parameters, float dropout)
        : parameters_(parameters), dropout_(dropout) {}

    template <long filters, long nr, long nc, int sy, int sx, int py, int px>
    void operator()(dlib::con_<filters, nr, nc, sy, sx, py, px>& layer) {
        write_convolution(layer);
    }

    template <long filters, long nr, long nc, int sy, int sx, int py, int px>
    void operator()(dlib::cont_<filters, nr, nc, sy, sx, py, px>& layer) {
        write_convolution(layer);
    }

    void operator()(dlib::bn_<dlib::CONV_MODE>& layer) {
        const std::string name = "norm" + std::to_string(norm_--);
        write(layer, {name + ".weight", name + ".bias"});
        set_statistics(layer, row(name + ".running_mean"), row(name + ".running_var"));
    }

    template <unsigned long outputs> void operator()(dlib::fc_<outputs, dlib::FC_HAS_BIAS>& layer) {
        write(layer, {"fc.weight", "fc.bias"});
    }

    // Its output means nothing; the mean of the image is better than chance numbers.
    template <unsigned long outputs> void operator()(dlib::fc_<outputs, dlib::FC_NO_BIAS>& layer) {
        layer.get_layer_params() = 1.0F / static_cast<float>(layer.get_layer_params().size());
    }

    void operator()(dlib::dropout_& layer) { layer = dlib::dropout_(dropout_); }

  private:
    template <typename LAYER> void write_convolution(LAYER& layer) {
        const std::string name = "conv" + std::to_string(conv_--);
        if (layer.bias_is_disabled())
            write(layer, {name + ".weight"});
        else
            write(layer, {name + ".weight", name + ".bias"});
    }

    template <typename LAYER>
    void write(LAYER& layer, std::initializer_list<std::string> names) const {
        float* destination = layer.get_layer_params().host();
        for (const auto& name : names) {
            const auto& values = parameters_.at(name).values;
            destination = std::copy(values.begin(), values.end(), destination);
        }
    }

    dlib::resizable_tensor row(const std::string& name) const {
        const auto& values = parameters_.at(name).values;
        dlib::resizable_tensor tensor(1, static_cast<long>(values.size()));
        std::copy(values.begin(), values.end(), tensor.host());
        return tensor;
    }

    const named_tensors& parameters_;
    float dropout_;
    // dlib visits a network from its output to its input.
    int conv_ = convolutions;
    int norm_ = convolutions - 1;
};

// dlib's default slope is 0.01.
struct slope_setter {
    void operator()(dlib::leaky_relu_& layer) const { layer = dlib::leaky_relu_(leaky_slope); }
    template <typename LAYER> void operator()(LAYER&) const {}
};

template <typename NET> NET allocated(const typename NET::input_type& sample) {
    NET net;
    disable_duplicative_biases(net);
    visit_computational_layers(net, slope_setter());
    net(sample); // dlib allocates parameters at the first forward pass
    return net;
}

generator_net allocated_generator() {
    noise sample;
    sample.fill(dlib::zeros_matrix<float>(1, 1));
    return allocated<generator_net>(sample);
}

discriminator_net allocated_discriminator() {
    image sample(image_size, image_size);
    sample = dlib::rgb_pixel(0, 0, 0);
    return allocated<discriminator_net>(sample);
}

named_tensor slice(const std::vector<float>& values, std::size_t begin, std::vector<long> shape) {
    std::size_t size = 1;
    for (long extent : shape)
        size *= static_cast<std::size_t>(extent);
    if (begin + size > values.size())
        throw std::runtime_error("a layer has too few parameters");
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin);
    return {std::move(shape), std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size))};
}

named_tensor whole(const std::vector<float>& values) {
    return slice(values, 0, {static_cast<long>(values.size())});
}

// `filters` biases from behind the weights; zeros where they are disabled (dlib may keep some
// there).
named_tensor biases_of(const dnn_layer& layer, std::size_t weights, long filters) {
    if (layer.bias)
        return slice(layer.parameters, weights, {filters});
    return {{filters}, std::vector<float>(static_cast<std::size_t>(filters))};
}

// Names follow the convolutions: norm k is the one on top of convolution k.
named_tensors to_named(const dnn_network& network) {
    named_tensors named;
    std::string number;
    named_tensor folded; // the bias of the convolution right below, if a norm is on top of it
    int convolution = 0;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
        const dnn_layer& layer = network.layers[i];
        if (layer.kind == "con" || layer.kind == "cont") {
            number = std::to_string(++convolution);
            const long filters = std::lround(layer.settings[0]);
            const long rows = std::lround(layer.settings[1]);
            const long columns = std::lround(layer.settings[2]);
            const long used =
                static_cast<long>(layer.parameters.size()) - (layer.bias ? filters : 0);
            // Rounds down: behind a disabled bias, some dlibs keep its values.
            const long inputs = used / (filters * rows * columns);
            named_tensor weight =
                layer.kind == "con" ? slice(layer.parameters, 0, {filters, inputs, rows, columns})
                                    : slice(layer.parameters, 0, {inputs, filters, rows, columns});
            named_tensor bias = biases_of(layer, weight.values.size(), filters);
            named["conv" + number + ".weight"] = std::move(weight);
            if (network.layers[i + 1].kind == "bn_con")
                folded = std::move(bias);
            else
                named["conv" + number + ".bias"] = std::move(bias);
        } else if (layer.kind == "bn_con") {
            const std::string name = "norm" + number;
            const long channels = static_cast<long>(layer.parameters.size() / 2);
            named[name + ".weight"] = slice(layer.parameters, 0, {channels});
            named[name + ".bias"] =
                slice(layer.parameters, layer.parameters.size() / 2, {channels});
            named[name + ".running_var"] = whole(layer.running_var);
            named_tensor mean = whole(layer.running_mean);
            if (mean.shape != folded.shape)
                throw std::runtime_error("a batch norm does not fit its convolution");
            std::transform(mean.values.begin(), mean.values.end(), folded.values.begin(),
                           mean.values.begin(), std::minus<float>());
            named[name + ".running_mean"] = std::move(mean);
        } else if (layer.kind == "fc" && network.loss == "loss_binary_log_") {
            const std::size_t inputs = layer.parameters.size() - (layer.bias ? 1 : 0);
            named["fc.weight"] = slice(layer.parameters, 0, {1, static_cast<long>(inputs)});
            named["fc.bias"] = biases_of(layer, inputs, 1);
        }
    }
    return named;
}

struct network_pair {
    dnn_network generator, discriminator; // in the order of the file
};

network_pair read_networks(std::istream& in) {
    return {read_network(in, generator_net::num_computational_layers),
            read_network(in, discriminator_net::num_computational_layers)};
}

dnn_model to_model(const network_pair& networks) {
    dnn_model model{to_named(networks.generator), to_named(networks.discriminator), -1};
    for (const auto& layer : networks.discriminator.layers) {
        if (layer.kind != "dropout")
            continue;
        if (model.dropout >= 0 && layer.drop_rate != model.dropout)
            throw std::runtime_error("its layers drop out at different rates");
        model.dropout = layer.drop_rate;
    }
    return model;
}

// What dlib itself makes of the networks above: a file's must look like it.
const network_pair& reference_networks() {
    static const network_pair networks = [] {
        std::stringstream stream;
        serialize(allocated_generator(), stream);
        serialize(allocated_discriminator(), stream);
        return read_networks(stream);
    }();
    return networks;
}

const dnn_model& reference_model() {
    static const dnn_model model = to_model(reference_networks());
    return model;
}

void check_layers(const dnn_network& given, const dnn_network& expected) {
    if (given.loss != expected.loss || given.input != expected.input)
        throw std::runtime_error("a network has another loss or input than the original's");
    for (std::size_t i = 0; i < expected.layers.size(); ++i)
        if (given.layers[i].kind != expected.layers[i].kind ||
            given.layers[i].settings != expected.layers[i].settings)
            throw std::runtime_error("layer " + std::to_string(i + 1) +
                                     " of a network is not the " + expected.layers[i].kind +
                                     " of the original's");
}

template <typename ERROR>
void check_shapes(const named_tensors& given, const named_tensors& expected,
                  const std::string& network) {
    for (const auto& [name, tensor] : expected) {
        const auto found = given.find(name);
        if (found == given.end())
            throw ERROR("the " + network + " has no " + name);
        if (found->second.shape != tensor.shape ||
            found->second.values.size() != tensor.values.size())
            throw ERROR("the " + network + "'s " + name + " has another shape");
    }
    for (const auto& [name, tensor] : given)
        if (expected.count(name) == 0)
            throw ERROR("the " + network + " has no layer for " + name);
}

template <typename ERROR> void check_shapes(const dnn_model& model) {
    check_shapes<ERROR>(model.generator, reference_model().generator, "generator");
    check_shapes<ERROR>(model.discriminator, reference_model().discriminator, "discriminator");
}

template <typename NET>
void write_network(NET net, const named_tensors& parameters, float dropout, std::ostream& out) {
    visit_computational_layers(net, parameter_writer(parameters, dropout));
    net.clean();
    serialize(net, out);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void write_whole(const std::filesystem::path& path, const std::string& bytes) {
    auto temporary = path;
    temporary += "." + std::to_string(std::random_device()()) + ".part";
    std::error_code failure;
    std::ofstream out(temporary, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (out)
        std::filesystem::rename(temporary, path, failure);
    else
        failure = std::error_code(errno, std::generic_category());
    if (failure) {
        std::error_code ignored; // the first failure is the one to tell
        std::filesystem::remove(temporary, ignored);
        throw std::runtime_error(path.string() + " cannot be written: " + failure.message());
    }
}

} // namespace

dnn_model read_dnn(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw std::runtime_error(path + " cannot be opened");
    try {
        const network_pair networks = read_networks(in);
        check_layers(networks.generator, reference_networks().generator);
        check_layers(networks.discriminator, reference_networks().discriminator);
        dnn_model model = to_model(networks);
        check_shapes<std::runtime_error>(model);
        return model;
    } catch (const std::exception& error) {
        // dlib's errors for damaged numbers and this reader's for damaged structure: one answer to
        // all.
        throw std::runtime_error(path + " is not a whole model file of the original FFgan (" +
                                 first_line(error.what()) + ")");
    }
}

void write_dnn(const std::string& path, const dnn_model& model) {
    if (!(model.dropout >= 0 && model.dropout < 1))
        throw std::invalid_argument("dropout must be at least 0 and below 1");
    check_shapes<std::invalid_argument>(model);
    std::ostringstream out;
    write_network(allocated_generator(), model.generator, model.dropout, out);
    write_network(allocated_discriminator(), model.discriminator, model.dropout, out);
    write_whole(path, out.str());
}

} // namespace ffgan
