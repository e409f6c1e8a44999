// SPDX-License-Identifier: GPL-3.0-or-later
//
// The networks in plain dlib, with dlib's own layers, solvers and nothing of ffgan: what a program
// on dlib alone takes. Inference is by affine layers, which dlib puts in place of batch norm, and
// by a multiplication in place of dropout. Driven by benchmarks/engines/plain_dlib.py: reads
// commands from stdin, answers each with one line, which begins with "error" when it fails.
//
//   infer NETWORK BATCH KEEP PARAMETERS<tab>INPUT
//       set up; NETWORK is generator, program or table, KEEP what dropout is replaced by
//   train NETWORK BATCH KEEP PARAMETERS<tab>INPUT
//       set up; answers D's and G's loss of a step without dropout from the given parameters
//   time N
//       run N times; answers the seconds of each
//   write FILE
//       write the last output of inference
//
// PARAMETERS and INPUT are files of float32: every layer's, from the output to the input (the
// discriminator's after the generator's); and the latents, the images, or both.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlib/dnn.h>

namespace {

constexpr long latent_size = 100, image_channels = 3, image_size = 162;
constexpr float slope = 0.2F, dropout_rate = 0.5F, sigmoid_to_input = 255.0F / 256.0F;
constexpr double learning_rate = 2e-4;
constexpr float beta1 = 0.5F, beta2 = 0.999F;

template <long filters, int kernel, int stride, int padding, typename SUBNET>
using conp =
    dlib::add_layer<dlib::con_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;
template <long filters, int kernel, int stride, int padding, typename SUBNET>
using contp =
    dlib::add_layer<dlib::cont_<filters, kernel, kernel, stride, stride, padding, padding>, SUBNET>;

using noise = dlib::input<std::array<dlib::matrix<float>, latent_size>>;
using rgb_image = dlib::input<std::array<dlib::matrix<float>, image_channels>>;

template <template <typename> class BN, long filters, int kernel, int stride, int padding,
          typename SUBNET>
using up = dlib::relu<BN<contp<filters, kernel, stride, padding, SUBNET>>>;

template <template <typename> class BN>
using generator_of = dlib::sig<
    contp<3, 4, 2, 0,
          up<BN, 64, 4, 2, 1,
             up<BN, 128, 4, 2, 1,
                up<BN, 128, 4, 2, 1, up<BN, 256, 3, 3, 1, up<BN, 512, 4, 1, 0, noise>>>>>>>;

template <template <typename> class BN, template <typename> class DROP, long filters, int kernel,
          int stride, int padding, typename SUBNET>
using down = DROP<dlib::leaky_relu<BN<conp<filters, kernel, stride, padding, SUBNET>>>>;

template <template <typename> class BN, template <typename> class DROP>
using program_of =
    dlib::fc<1, conp<3, 1, 1, 0,
                     down<BN, DROP, 512, 4, 2, 1,
                          down<BN, DROP, 256, 3, 3, 1,
                               down<BN, DROP, 128, 4, 2, 1,
                                    down<BN, DROP, 128, 4, 2, 1,
                                         DROP<dlib::leaky_relu<conp<64, 4, 2, 0, rgb_image>>>>>>>>>;

template <template <typename> class BN, template <typename> class DROP, long filters, int kernel,
          int stride, int padding, typename SUBNET>
using block = DROP<BN<dlib::leaky_relu<conp<filters, kernel, stride, padding, SUBNET>>>>;

template <template <typename> class BN, template <typename> class DROP>
using table_of =
    dlib::fc<1, block<BN, DROP, 64, 4, 2, 1,
                      block<BN, DROP, 128, 4, 2, 1,
                            block<BN, DROP, 128, 4, 2, 1,
                                  block<BN, DROP, 256, 3, 1, 0,
                                        block<BN, DROP, 512, 4, 2, 1,
                                              block<BN, DROP, 3, 3, 1, 0, rgb_image>>>>>>>;

using floats = std::vector<float>;

floats read_floats(const std::string& path) {
    std::ifstream in(path, std::ios::binary | std::ios::ate);
    floats values(static_cast<std::size_t>(in.tellg()) / sizeof(float));
    in.seekg(0);
    if (!in.read(reinterpret_cast<char*>(values.data()),
                 static_cast<std::streamsize>(values.size() * sizeof(float))))
        throw std::runtime_error("cannot read " + path);
    return values;
}

// Gives a network its slopes, a scale per channel, what replaces dropout, and biases only where the
// tables have them: `biases` is of the convolutions from the output to the input.
class layer_setter {
  public:
    layer_setter(std::vector<bool> biases, float keep) : biases_(std::move(biases)), keep_(keep) {}

    void operator()(dlib::leaky_relu_& layer) { layer = dlib::leaky_relu_(slope); }
    void operator()(dlib::affine_& layer) { layer = dlib::affine_(dlib::CONV_MODE); }
    void operator()(dlib::multiply_& layer) { layer = dlib::multiply_(keep_); }
    template <long filters, long nr, long nc, int sy, int sx, int py, int px>
    void operator()(dlib::con_<filters, nr, nc, sy, sx, py, px>& layer) {
        set_bias(layer);
    }
    template <long filters, long nr, long nc, int sy, int sx, int py, int px>
    void operator()(dlib::cont_<filters, nr, nc, sy, sx, py, px>& layer) {
        set_bias(layer);
    }
    template <typename LAYER> void operator()(LAYER&) {}

  private:
    template <typename LAYER> void set_bias(LAYER& layer) {
        if (!biases_.at(next_++))
            layer.disable_bias();
    }

    std::vector<bool> biases_;
    float keep_;
    std::size_t next_ = 0;
};

class dropout_setter {
  public:
    explicit dropout_setter(float rate) : rate_(rate) {}
    void operator()(dlib::dropout_& layer) const { layer = dlib::dropout_(rate_); }
    template <typename LAYER> void operator()(LAYER&) const {}

  private:
    float rate_;
};

class parameter_loader {
  public:
    explicit parameter_loader(const floats& values, std::size_t& next)
        : values_(values), next_(next) {}

    template <typename LAYER> void operator()(LAYER& layer) { fill(layer.get_layer_params()); }

    // It shows its values to nobody, but writes and reads them.
    void operator()(dlib::affine_& layer) {
        std::stringstream written, changed;
        serialize(layer, written);
        std::string version;
        dlib::resizable_tensor parameters;
        dlib::deserialize(version, written);
        deserialize(parameters, written);
        fill(parameters);
        dlib::serialize(version, changed);
        serialize(parameters, changed);
        changed << written.rdbuf();
        deserialize(layer, changed);
    }

  private:
    void fill(dlib::tensor& parameters) {
        if (values_.size() - next_ < parameters.size())
            throw std::runtime_error("there are fewer parameters than the network has");
        std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(next_), parameters.size(),
                    parameters.host());
        next_ += parameters.size();
    }

    const floats& values_;
    std::size_t& next_;
};

const std::vector<bool> generator_biases{true, false, false, false, false, false};
const std::vector<bool> program_biases{true, false, false, false, false, true};
const std::vector<bool> table_biases{true, true, true, true, true, true};

// dlib allocates a network at its first samples.
template <long channels, typename NET> void allocate(NET& net, long side) {
    std::array<dlib::matrix<float>, channels> sample;
    for (auto& plane : sample)
        plane = dlib::zeros_matrix<float>(side, side);
    const std::vector<std::array<dlib::matrix<float>, channels>> samples(2, sample);
    dlib::resizable_tensor x;
    net.to_tensor(samples.begin(), samples.end(), x);
    net.forward(x);
}

template <typename NET> void load(NET& net, const floats& values, std::size_t& next) {
    dlib::visit_computational_layers(net, parameter_loader(values, next));
}

void expect_all_used(const floats& values, std::size_t next) {
    if (next != values.size())
        throw std::runtime_error("there are more parameters than the network has");
}

// What `time` and `write` work on.
struct work {
    virtual ~work() = default;
    virtual void run() = 0;
    virtual const dlib::tensor& output() const = 0;
};

template <typename NET, long channels> class inference : public work {
  public:
    inference(const std::vector<bool>& biases, float keep, long side, long batch,
              const floats& parameters, const floats& input) {
        dlib::visit_computational_layers(net_, layer_setter(biases, keep));
        allocate<channels>(net_, side);
        std::size_t next = 0;
        load(net_, parameters, next);
        expect_all_used(parameters, next);
        input_.set_size(batch, channels, side, side);
        if (input.size() != input_.size())
            throw std::runtime_error("the input is of another size");
        std::copy(input.begin(), input.end(), input_.host_write_only());
    }

    void run() override { net_.forward(input_); }
    const dlib::tensor& output() const override { return net_.get_output(); }

  private:
    NET net_;
    dlib::resizable_tensor input_;
};

template <typename DISCRIMINATOR> class training : public work {
  public:
    training(const std::vector<bool>& biases, long batch, const floats& parameters,
             const floats& input)
        : solvers_g_(generator::num_computational_layers, dlib::adam(0, beta1, beta2)),
          solvers_d_(DISCRIMINATOR::num_computational_layers, dlib::adam(0, beta1, beta2)) {
        dlib::visit_computational_layers(g_, layer_setter(generator_biases, 1));
        dlib::visit_computational_layers(d_, layer_setter(biases, 1));
        allocate<latent_size>(g_, 1);
        allocate<image_channels>(d_, image_size);
        std::size_t next = 0;
        load(g_, parameters, next);
        load(d_, parameters, next);
        expect_all_used(parameters, next);
        latents_.set_size(batch, latent_size, 1, 1);
        real_.set_size(batch, image_channels, image_size, image_size);
        if (input.size() != latents_.size() + real_.size())
            throw std::runtime_error("the input is of another size");
        const auto middle = input.begin() + static_cast<std::ptrdiff_t>(latents_.size());
        std::copy(input.begin(), middle, latents_.host_write_only());
        std::copy(middle, input.end(), real_.host_write_only());
        set_dropout(0);
        run();
        set_dropout(dropout_rate);
    }

    void run() override {
        loss_d = judge(real_, 1);
        d_.update_parameters(solvers_d_, learning_rate);

        fakes_ = g_.forward(latents_);
        dlib::tt::affine_transform(fakes_, fakes_, sigmoid_to_input);
        loss_d += judge(fakes_, -1);
        d_.update_parameters(solvers_d_, learning_rate);

        loss_g = judge(fakes_, 1);
        image_gradient_ = d_.get_final_data_gradient();
        dlib::tt::affine_transform(image_gradient_, image_gradient_, sigmoid_to_input);
        g_.back_propagate_error(latents_, image_gradient_);
        g_.update_parameters(solvers_g_, learning_rate);
    }

    const dlib::tensor& output() const override { return fakes_; }

    double loss_d = 0, loss_g = 0;

  private:
    using generator = generator_of<dlib::bn_con>;

    void set_dropout(float rate) { dlib::visit_computational_layers(d_, dropout_setter(rate)); }

    // Forward and backward for the logistic loss of scores that should have this sign.
    double judge(const dlib::tensor& images, float sign) {
        const dlib::tensor& scores = d_.forward(images);
        score_gradient_.copy_size(scores);
        const float* s = scores.host();
        float* gradient = score_gradient_.host_write_only();
        const auto count = static_cast<float>(scores.size());
        double loss = 0;
        for (std::size_t i = 0; i < scores.size(); ++i) {
            loss += dlib::log1pexp(-sign * s[i]);
            gradient[i] = -sign / (1 + std::exp(sign * s[i])) / count;
        }
        d_.back_propagate_error(images, score_gradient_);
        return loss / count;
    }

    generator g_;
    DISCRIMINATOR d_;
    std::vector<dlib::adam> solvers_g_, solvers_d_;
    dlib::resizable_tensor latents_, real_, fakes_, score_gradient_, image_gradient_;
};

std::unique_ptr<work> set_up_inference(const std::string& network, long batch, float keep,
                                       const floats& parameters, const floats& input) {
    if (network == "generator")
        return std::make_unique<inference<generator_of<dlib::affine>, latent_size>>(
            generator_biases, keep, 1, batch, parameters, input);
    if (network == "program")
        return std::make_unique<
            inference<program_of<dlib::affine, dlib::multiply>, image_channels>>(
            program_biases, keep, image_size, batch, parameters, input);
    return std::make_unique<inference<table_of<dlib::affine, dlib::multiply>, image_channels>>(
        table_biases, keep, image_size, batch, parameters, input);
}

template <typename DISCRIMINATOR>
std::unique_ptr<work> set_up_training(const std::vector<bool>& biases, long batch,
                                      const floats& parameters, const floats& input) {
    auto made = std::make_unique<training<DISCRIMINATOR>>(biases, batch, parameters, input);
    std::cout << made->loss_d << ' ' << made->loss_g << std::endl;
    return made;
}

void obey(const std::string& line, std::unique_ptr<work>& current) {
    std::istringstream words(line);
    std::string command, network, parameters, input;
    words >> command;
    if (command == "infer" || command == "train") {
        long batch = 0;
        float keep = 1;
        words >> network >> batch >> keep >> std::ws;
        std::getline(words, parameters, '\t');
        std::getline(words, input);
        current.reset(); // its memory is to be free before the next one takes its own
        if (command == "infer") {
            current =
                set_up_inference(network, batch, keep, read_floats(parameters), read_floats(input));
            std::cout << "ok" << std::endl;
        } else if (network == "program") {
            current = set_up_training<program_of<dlib::bn_con, dlib::dropout>>(
                program_biases, batch, read_floats(parameters), read_floats(input));
        } else {
            current = set_up_training<table_of<dlib::bn_con, dlib::dropout>>(
                table_biases, batch, read_floats(parameters), read_floats(input));
        }
    } else if (command == "time" && current) {
        long count = 0;
        words >> count;
        for (long i = 0; i < count; ++i) {
            const auto began = std::chrono::steady_clock::now();
            current->run();
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
            std::cout << took.count() << ' ';
        }
        std::cout << std::endl;
    } else if (command == "write" && current) {
        std::getline(words >> std::ws, input);
        std::ofstream out(input, std::ios::binary);
        const dlib::tensor& values = current->output();
        out.write(reinterpret_cast<const char*>(values.host()),
                  static_cast<std::streamsize>(values.size() * sizeof(float)));
        out.close();
        if (!out)
            throw std::runtime_error("cannot write " + input);
        std::cout << "ok" << std::endl;
    } else {
        throw std::runtime_error("unknown command: " + line);
    }
}

} // namespace

int main() {
    std::cout.precision(9);
    std::unique_ptr<work> current;
    for (std::string line; std::getline(std::cin, line);) {
        try {
            obey(line, current);
        } catch (const std::exception& error) {
            std::string message = error.what(); // dlib's are of many lines
            std::replace(message.begin(), message.end(), '\n', ' ');
            std::cout << "error " << message << std::endl;
        }
    }
    return 0;
}
