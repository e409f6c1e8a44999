// SPDX-License-Identifier: GPL-3.0-or-later
//
// Makes a model file as the original program does, with dlib alone: trains its networks for a few
// steps on made-up pictures, writes them, and writes what they make of the given noise.

#include <cstdlib>
#include <exception>
#include <iostream>

#include "original_networks.h"

namespace {

constexpr long batch = 2;
constexpr int steps = 2;

struct slope_setter {
    void operator()(dlib::leaky_relu_& layer) const { layer = dlib::leaky_relu_(0.2F); }
    template <typename LAYER> void operator()(LAYER&) const {}
};

noise random_noise(dlib::rand& random) {
    noise sample;
    for (auto& value : sample)
        value = static_cast<float>(random.get_random_gaussian());
    return sample;
}

// A disc of one colour on another: enough for gradients of every layer.
image random_picture(dlib::rand& random) {
    const auto colour = [&] {
        return dlib::rgb_pixel(random.get_random_8bit_number(), random.get_random_8bit_number(),
                               random.get_random_8bit_number());
    };
    const dlib::rgb_pixel back = colour(), front = colour();
    const long radius = 20 + random.get_random_8bit_number() % 60;
    image picture(162, 162);
    for (long row = 0; row < picture.nr(); ++row)
        for (long column = 0; column < picture.nc(); ++column) {
            const long y = row - 81, x = column - 81;
            picture(row, column) = y * y + x * x < radius * radius ? front : back;
        }
    return picture;
}

class adversarial_training {
  public:
    adversarial_training(generator_type& generator, discriminator_type& discriminator)
        : generator_(generator), discriminator_(discriminator),
          generator_solvers_(generator.num_computational_layers, dlib::adam(0, 0.5F, 0.999F)),
          discriminator_solvers_(discriminator.num_computational_layers,
                                 dlib::adam(0, 0.5F, 0.999F)) {}

    void step(dlib::rand& random) {
        std::vector<noise> noises;
        std::vector<image> real;
        for (long i = 0; i < batch; ++i) {
            noises.push_back(random_noise(random));
            real.push_back(random_picture(random));
        }
        dlib::resizable_tensor latents;
        generator_.to_tensor(noises.begin(), noises.end(), latents);
        generator_.subnet().forward(latents);
        std::vector<image> fakes;
        for (long i = 0; i < batch; ++i)
            fakes.push_back(to_image(dlib::layer<2>(generator_).get_output(), i));

        judge(real, 1);
        discriminator_.update_parameters(discriminator_solvers_, rate);
        judge(fakes, -1);
        discriminator_.update_parameters(discriminator_solvers_, rate);

        judge(fakes, 1);
        auto& painter = generator_.subnet().subnet();
        painter.back_propagate_error(latents, discriminator_.subnet().get_final_data_gradient());
        painter.update_parameters(dlib::make_sstack(generator_solvers_), rate);
    }

  private:
    static constexpr double rate = 2e-3; // ten times the original's: so few steps must show

    void judge(const std::vector<image>& images, float label) {
        const std::vector<float> labels(images.size(), label);
        dlib::resizable_tensor data;
        discriminator_.to_tensor(images.begin(), images.end(), data);
        discriminator_.compute_loss(data, labels.begin());
        discriminator_.back_propagate_error(data);
    }

    generator_type& generator_;
    discriminator_type& discriminator_;
    std::vector<dlib::adam> generator_solvers_, discriminator_solvers_;
};

int run(const std::vector<std::string>& arguments) {
    if (arguments.size() != 5) {
        std::cerr << "usage: original_model dnn|sync|biased MODEL NOISE PIXELS SCORES\n";
        return 2;
    }
    const std::string& kind = arguments[0];
    const auto noises = read_noises(arguments[2]);
    std::srand(7); // dlib draws the first weights from it
    dlib::rand random(7);

    generator_type generator;
    discriminator_type discriminator;
    if (kind != "biased") {
        dlib::disable_duplicative_biases(generator);
        dlib::disable_duplicative_biases(discriminator);
    }
    dlib::visit_computational_layers(discriminator, slope_setter());
    generator(random_noise(random)); // allocates fc_no_bias, which training does not pass through
    adversarial_training training(generator, discriminator);
    for (int i = 0; i < steps; ++i)
        training.step(random);

    if (kind == "sync") {
        dlib::serialize(arguments[1]) << generator << discriminator << 3UL << 1UL;
    } else {
        generator.clean();
        discriminator.clean();
        dlib::serialize(arguments[1]) << generator << discriminator;
    }
    discriminator_test_type judge = discriminator;
    write_faces(generator, judge, noises, arguments[3], arguments[4]);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << "original_model: " << error.what() << '\n';
        return 1;
    }
}
