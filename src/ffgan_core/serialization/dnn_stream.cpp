// SPDX-License-Identifier: GPL-3.0-or-later

#include "serialization/dnn_stream.h"

#include <array>
#include <stdexcept>
#include <utility>

#include <dlib/byte_orderer.h>
#include <dlib/serialize.h>

namespace ffgan {
namespace {

constexpr unsigned long longest_name = 64;

class stream_reader {
  public:
    explicit stream_reader(std::istream& in) : in_(in) {
        const auto start = in_.tellg();
        in_.seekg(0, std::ios::end);
        end_ = in_.tellg();
        in_.seekg(start);
    }

    template <typename T> T value() {
        T item;
        dlib::deserialize(item, in_);
        return item;
    }

    std::string name() {
        const auto length = value<unsigned long>();
        if (length > longest_name)
            throw std::runtime_error("a name is too long");
        std::string text(length, '\0');
        read(&text[0], length);
        return text;
    }

    int version(int oldest, int newest) {
        const int found = value<int>();
        if (found < oldest || found > newest)
            throw std::runtime_error("not a dlib network of a known version");
        return found;
    }

    std::vector<float> tensor() {
        std::vector<float> values(tensor_size());
        read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(float));
        const dlib::byte_orderer order;
        for (auto& v : values)
            order.little_to_host(v);
        return values;
    }

    void skip_tensor() {
        in_.seekg(static_cast<std::streamoff>(tensor_size() * sizeof(float)), std::ios::cur);
    }

    // How a part of a layer's parameters is to be looked at; follows from the settings.
    void skip_alias() {
        version(1, 1);
        for (int i = 0; i < 4; ++i)
            value<long long>();
    }

    void skip_multipliers() { // of the learning rate and the weight decay
        for (int i = 0; i < 4; ++i)
            value<double>();
    }

  private:
    std::size_t tensor_size() {
        version(2, 2);
        std::array<long long, 4> extents;
        for (auto& extent : extents)
            extent = value<long long>();
        const long long limit = (end_ - in_.tellg()) / static_cast<long long>(sizeof(float));
        long long size = 1;
        for (long long extent : extents) {
            if (extent < 0 || (extent > 0 && size > limit / extent))
                throw std::runtime_error("a tensor is larger than the rest of the file");
            size *= extent;
        }
        return static_cast<std::size_t>(size);
    }

    void read(char* destination, std::size_t bytes) {
        if (!in_.read(destination, static_cast<std::streamsize>(bytes)))
            throw std::runtime_error("the file ends too early");
    }

    std::istream& in_;
    std::streamoff end_;
};

void read_convolution(stream_reader& in, dnn_layer& layer, bool has_bias_flag, bool has_relu_flag) {
    layer.parameters = in.tensor();
    for (int i = 0; i < 3; ++i)
        layer.settings.push_back(static_cast<double>(in.value<long>()));
    for (int i = 0; i < 4; ++i)
        layer.settings.push_back(in.value<int>());
    in.skip_alias();
    in.skip_alias();
    in.skip_multipliers();
    layer.bias = has_bias_flag ? in.value<bool>() : true;
    layer.settings.push_back(has_relu_flag ? in.value<bool>() : false);
}

void read_batch_norm(stream_reader& in, dnn_layer& layer) {
    layer.parameters = in.tensor();
    in.skip_alias();
    in.skip_alias();
    in.skip_tensor(); // the last batch's means
    in.skip_tensor(); // and inverse deviations
    layer.running_mean = in.tensor();
    layer.running_var = in.tensor();
    in.value<unsigned long>(); // updates
    in.value<unsigned long>(); // window
    in.skip_multipliers();
    layer.settings.push_back(in.value<double>());
}

void read_fully_connected(stream_reader& in, dnn_layer& layer, bool has_bias_flag) {
    layer.settings.push_back(static_cast<double>(in.value<unsigned long>()));
    in.value<unsigned long>(); // inputs
    layer.parameters = in.tensor();
    in.skip_alias();
    in.skip_alias();
    const int without_bias = in.value<int>();
    layer.settings.push_back(without_bias);
    in.skip_multipliers();
    layer.bias = (has_bias_flag ? in.value<bool>() : true) && without_bias == 0;
}

dnn_layer read_layer(stream_reader& in) {
    dnn_layer layer;
    const std::string name = in.name();
    layer.kind = name.substr(0, name.find_last_of('_'));
    if (name == "con_4" || name == "con_5" || name == "con_6") {
        read_convolution(in, layer, name != "con_4", name == "con_6");
    } else if (name == "cont_1" || name == "cont_2") {
        read_convolution(in, layer, name == "cont_2", false);
    } else if (name == "bn_con2") {
        layer.kind = "bn_con";
        read_batch_norm(in, layer);
    } else if (name == "fc_2" || name == "fc_3") {
        read_fully_connected(in, layer, name == "fc_3");
    } else if (name == "relu_" || name == "relu_2") {
        layer.settings.push_back(name == "relu_2" ? in.value<bool>() : false);
    } else if (name == "leaky_relu_") {
        layer.settings.push_back(in.value<float>());
    } else if (name == "dropout_") {
        layer.drop_rate = in.value<float>();
        in.skip_tensor(); // the last batch's mask
    } else if (name != "sig_") {
        throw std::runtime_error("a layer is of a kind that the original's networks do not have");
    }
    return layer;
}

} // namespace

dnn_network read_network(std::istream& stream, std::size_t layers) {
    stream_reader in(stream);
    dnn_network network;
    in.version(1, 1);
    network.loss = in.name();
    // Each layer opens around the ones below it and goes on where they end.
    std::vector<int> versions;
    for (std::size_t i = 0; i + 1 < layers; ++i)
        versions.push_back(in.version(1, 2));
    const int innermost = in.version(2, 3);
    network.input = in.name();
    for (std::size_t i = 0; i < layers; ++i) {
        network.layers.push_back(read_layer(in));
        for (int flag = 0; flag < 3; ++flag)
            in.value<bool>();
        in.skip_tensor(); // gradient of the input
        in.skip_tensor(); // output
        if (i == 0) {
            in.skip_tensor(); // gradient of the data
            if (innermost == 3)
                in.value<unsigned int>(); // samples made of one
        } else if (versions[layers - 1 - i] == 2) {
            in.skip_tensor(); // gradient of the parameters
        }
    }
    return network;
}

} // namespace ffgan
