// SPDX-License-Identifier: GPL-3.0-or-later

#include "dnn_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <dlib/dnn.h>

namespace ffgan {
namespace {

// The file's layout is the type of these networks, so they are dlib's own layers throughout, whatever
// the rest of the core computes with.

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using conp = dlib::add_layer<
    dlib::con_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using contp = dlib::add_layer<
    dlib::cont_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using up = dlib::relu<dlib::bn_con<contp<filters, kernel, stride, padding, SUBNET>>>;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using down = dlib::dropout<
    dlib::leaky_relu<dlib::bn_con<conp<filters, kernel, stride, padding, SUBNET>>>>;

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

struct running_statistics {
    dlib::resizable_tensor mean, variance;
};

// bn_ shows its running statistics to nobody but its serialisation. `replace`, where given, takes
// their place.
running_statistics exchange_statistics(dlib::bn_<dlib::CONV_MODE>& layer,
                                       const running_statistics* replace) {
    std::stringstream stream;
    serialize(layer, stream);
    std::string version;
    dlib::resizable_tensor parameters, means, inverse_deviations;
    dlib::alias_tensor gamma, beta;
    running_statistics statistics;
    unsigned long updates, window;
    dlib::deserialize(version, stream);
    dlib::deserialize(parameters, stream);
    dlib::deserialize(gamma, stream);
    dlib::deserialize(beta, stream);
    dlib::deserialize(means, stream);
    dlib::deserialize(inverse_deviations, stream);
    dlib::deserialize(statistics.mean, stream);
    dlib::deserialize(statistics.variance, stream);
    dlib::deserialize(updates, stream);
    dlib::deserialize(window, stream);
    if (replace == nullptr)
        return statistics;

    std::stringstream changed;
    dlib::serialize(version, changed);
    dlib::serialize(parameters, changed);
    dlib::serialize(gamma, changed);
    dlib::serialize(beta, changed);
    dlib::serialize(means, changed);
    dlib::serialize(inverse_deviations, changed);
    dlib::serialize(replace->mean, changed);
    dlib::serialize(replace->variance, changed);
    // A full window: with a count of 0, a dlib program that trains on would forget the statistics at
    // its first batch.
    dlib::serialize(window, changed);
    dlib::serialize(window, changed);
    changed << stream.rdbuf();
    deserialize(layer, changed);
    return statistics;
}

named_tensor to_named(std::vector<long> shape, const float* values) {
    std::size_t size = 1;
    for (long extent : shape)
        size *= static_cast<std::size_t>(extent);
    return {std::move(shape), std::vector<float>(values, values + size)};
}

named_tensor to_named(const dlib::tensor& values) {
    return to_named({static_cast<long>(values.size())}, values.host());
}

// dlib visits a network from its output to its input.
class layer_names {
public:
    std::string next_convolution() { return "conv" + std::to_string(conv_--); }
    std::string next_norm() { return "norm" + std::to_string(norm_--); }

private:
    int conv_ = convolutions;
    int norm_ = convolutions - 1;
};

class parameter_reader {
public:
    parameter_reader(named_tensors& parameters, float& dropout)
        : parameters_(parameters), dropout_(dropout) {}

    template <long filters, long nr, long nc, int sy, int sx, int py, int px>
    void operator()(dlib::con_<filters, nr, nc, sy, sx, py, px>& layer) {
        const long inputs = input_channels(layer, filters, nr * nc);
        read_convolution(layer, {filters, inputs, nr, nc}, filters);
    }

    template <long filters, long nr, long nc, int sy, int sx, int py, int px>
    void operator()(dlib::cont_<filters, nr, nc, sy, sx, py, px>& layer) {
        const long inputs = input_channels(layer, filters, nr * nc);
        read_convolution(layer, {inputs, filters, nr, nc}, filters);
    }

    void operator()(dlib::bn_<dlib::CONV_MODE>& layer) {
        if (layer.get_eps() != dlib::DEFAULT_BATCH_NORM_EPS)
            throw std::runtime_error("a batch norm's eps is not 1e-4");
        const auto statistics = exchange_statistics(layer, nullptr);
        const auto& parameters = layer.get_layer_params();
        const long channels = static_cast<long>(parameters.size() / 2);
        norm_ = names_.next_norm();
        parameters_[norm_ + ".weight"] = to_named({channels}, parameters.host());
        parameters_[norm_ + ".bias"] = to_named({channels}, parameters.host() + channels);
        parameters_[norm_ + ".running_mean"] = to_named(statistics.mean);
        parameters_[norm_ + ".running_var"] = to_named(statistics.variance);
    }

    template <unsigned long outputs>
    void operator()(dlib::fc_<outputs, dlib::FC_HAS_BIAS>& layer) {
        const auto& parameters = layer.get_layer_params();
        if (parameters.size() < 2)
            throw std::runtime_error("the fully connected layer is empty");
        const long inputs = static_cast<long>(parameters.size()) - 1;
        parameters_["fc.weight"] = to_named({1, inputs}, parameters.host());
        parameters_["fc.bias"] = to_named({1}, parameters.host() + inputs);
    }

    // Only there because a dlib network must end in a loss.
    template <unsigned long outputs>
    void operator()(dlib::fc_<outputs, dlib::FC_NO_BIAS>&) {}

    void operator()(dlib::leaky_relu_& layer) {
        if (layer.get_alpha() != leaky_slope)
            throw std::runtime_error("a leaky ReLU's slope is not 0.2");
    }

    void operator()(dlib::dropout_& layer) {
        if (dropout_ >= 0 && layer.get_drop_rate() != dropout_)
            throw std::runtime_error("its layers drop out at different rates");
        dropout_ = layer.get_drop_rate();
    }

private:
    // The channels that come in, by the layer's number of parameters. Rounding down leaves out the
    // biases, also those that older dlibs keep allocated behind a disabled bias.
    template <typename LAYER>
    static long input_channels(const LAYER& layer, long filters, long kernel_area) {
        const long size = static_cast<long>(layer.get_layer_params().size());
        const long biases = layer.bias_is_disabled() ? 0 : filters;
        if (layer.num_filters() != filters || size < filters * kernel_area + biases)
            throw std::runtime_error("a convolution has another number of filters");
        return (size - biases) / (filters * kernel_area);
    }

    template <typename LAYER>
    void read_convolution(const LAYER& layer, std::vector<long> shape, long filters) {
        const std::string name = names_.next_convolution();
        const float* values = layer.get_layer_params().host();
        named_tensor weight = to_named(std::move(shape), values);
        const float* biases = values + weight.values.size();
        parameters_[name + ".weight"] = std::move(weight);
        if (norm_.empty()) {
            named_tensor bias{{filters}, std::vector<float>(static_cast<std::size_t>(filters))};
            if (!layer.bias_is_disabled())
                std::copy_n(biases, filters, bias.values.begin());
            parameters_[name + ".bias"] = std::move(bias);
        } else if (!layer.bias_is_disabled()) {
            auto& mean = parameters_[norm_ + ".running_mean"].values;
            if (mean.size() != static_cast<std::size_t>(filters))
                throw std::runtime_error("a batch norm has another number of channels");
            for (std::size_t i = 0; i < mean.size(); ++i)
                mean[i] -= biases[i];
        }
        norm_.clear();
    }

    named_tensors& parameters_;
    float& dropout_;
    layer_names names_;
    std::string norm_; // the norm right above the layer being visited, if any
};

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
        const std::string name = names_.next_norm();
        write(layer, {name + ".weight", name + ".bias"});
        running_statistics statistics;
        copy(name + ".running_mean", statistics.mean);
        copy(name + ".running_var", statistics.variance);
        exchange_statistics(layer, &statistics);
    }

    template <unsigned long outputs>
    void operator()(dlib::fc_<outputs, dlib::FC_HAS_BIAS>& layer) {
        write(layer, {"fc.weight", "fc.bias"});
    }

    // Its output means nothing; the mean of the image is better than chance numbers.
    template <unsigned long outputs>
    void operator()(dlib::fc_<outputs, dlib::FC_NO_BIAS>& layer) {
        layer.get_layer_params() = 1.0F / static_cast<float>(layer.get_layer_params().size());
    }

    void operator()(dlib::dropout_& layer) { layer = dlib::dropout_(dropout_); }

private:
    template <typename LAYER> void write_convolution(LAYER& layer) {
        const std::string name = names_.next_convolution();
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

    void copy(const std::string& name, dlib::resizable_tensor& destination) const {
        const auto& values = parameters_.at(name).values;
        destination.set_size(1, static_cast<long>(values.size()));
        std::copy(values.begin(), values.end(), destination.host());
    }

    const named_tensors& parameters_;
    float dropout_;
    layer_names names_;
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

template <typename NET> named_tensors parameters_of(NET& net, float& dropout) {
    named_tensors parameters;
    dropout = -1;
    visit_computational_layers(net, parameter_reader(parameters, dropout));
    return parameters;
}

// The parameters of networks that dlib itself laid out: what a file's must look like.
const dnn_model& reference() {
    static const dnn_model model = [] {
        dnn_model fresh;
        auto generator = allocated_generator();
        auto discriminator = allocated_discriminator();
        fresh.generator = parameters_of(generator, fresh.dropout);
        fresh.discriminator = parameters_of(discriminator, fresh.dropout);
        return fresh;
    }();
    return model;
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
    check_shapes<ERROR>(model.generator, reference().generator, "generator");
    check_shapes<ERROR>(model.discriminator, reference().discriminator, "discriminator");
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
    if (!out || failure) {
        std::error_code ignored; // the first failure is the one to tell
        std::filesystem::remove(temporary, ignored);
        throw std::runtime_error(path.string() + ": cannot be written" +
                                 (failure ? ": " + failure.message() : ""));
    }
}

} // namespace

dnn_model read_dnn(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw std::runtime_error(path + ": cannot be opened");
    try {
        generator_net generator;
        discriminator_net discriminator;
        deserialize(generator, in);
        deserialize(discriminator, in);
        dnn_model model;
        model.generator = parameters_of(generator, model.dropout);
        model.discriminator = parameters_of(discriminator, model.dropout);
        check_shapes<std::runtime_error>(model);
        return model;
    } catch (const std::exception& error) {
        // Damage shows in many ways (dlib's errors, allocations of absurd size): one answer to all.
        throw std::runtime_error(path + ": not a whole model file of the original FFgan (" +
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
