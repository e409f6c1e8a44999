// SPDX-License-Identifier: GPL-3.0-or-later
#include "projection/projector.h"

#include "base/pixels.h"
#include "base/require.h"
#include "base/shapes.h"
#include "base/threads.h"
#include "losses/pyramid_loss.h"
#include "networks/network.h"
#include "pretrained/face_features.h"
#include "pretrained/imagenet_features.h"
#include "projection/face_window.h"
#include "projection/feature_distance.h"
#include "training/adam.h"
#include "training/arithmetic.h"

#include <dlib/cuda/tensor_tools.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ffgan {
namespace {

constexpr double beta1 = 0.9, beta2 = 0.99;

constexpr long batch_limit = 16; // bounds the memory of the networks' activations

std::size_t as_size(long n) { return static_cast<std::size_t>(n); }

// What a frozen network makes of images, at each scale.
struct feature_set {
    std::vector<std::vector<float>> scales;

    std::vector<float*> targets(const std::vector<feature_shape>& shapes, long count) {
        scales.resize(shapes.size());
        std::vector<float*> result;
        for (std::size_t s = 0; s < shapes.size(); ++s) {
            scales[s].resize(as_size(count * shapes[s].size()));
            result.push_back(scales[s].data());
        }
        return result;
    }
    std::vector<const float*> gradients() const {
        std::vector<const float*> result;
        for (const std::vector<float>& scale : scales)
            result.push_back(scale.data());
        return result;
    }
};

// Images of a batch, the first of which has this number.
struct some_images {
    const dlib::tensor& images; // n x 3 x 162 x 162 from 0 to 1
    long first;

    long count() const { return static_cast<long>(images.num_samples()); }
};

// How differently the ImageNet network sees images and their targets.
class perceptual_part {
  public:
    std::unique_ptr<feature_network> net; // or null
    dlib::resizable_tensor gradient;      // with respect to the images measured last

    void begin(long count) { targets_.targets(net->shapes(), count); }

    void remember(const some_images& of) {
        look(of);
        for (std::size_t s = 0; s < seen_.scales.size(); ++s) {
            const long size = net->shapes()[s].size();
            std::copy_n(seen_.scales[s].data(), of.count() * size,
                        targets_.scales[s].data() + of.first * size);
        }
    }

    void measure(const some_images& of, double weight, projection_values* values, bool wanted) {
        look(of);
        const std::vector<feature_shape>& shapes = net->shapes();
        const double share = 1.0 / static_cast<double>(shapes.size());
        parallel_chunks(of.count(), [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i) {
                const float* of_scale = lengths_.data();
                for (std::size_t s = 0; s < shapes.size(); ++s) {
                    const long size = shapes[s].size(), places = shapes[s].side * shapes[s].side;
                    values[i].perceptual +=
                        share * feature_distance(shapes[s],
                                                 targets_.scales[s].data() + (of.first + i) * size,
                                                 of_scale + i * places, share * weight,
                                                 seen_.scales[s].data() + i * size);
                    of_scale += of.count() * places;
                }
            }
        });
        if (!wanted)
            return;
        gradient.copy_size(of.images);
        net->backward(seen_.gradients(), nullptr, of.count(), gradient.host_write_only());
        multiply(gradient, sigmoid_to_input, gradient);
    }

  private:
    // Writes normalised features, and what they were divided by.
    void look(const some_images& of) {
        inputs_.copy_size(of.images);
        multiply(of.images, sigmoid_to_input, inputs_);
        const std::vector<feature_shape>& shapes = net->shapes();
        const std::vector<float*> features = seen_.targets(shapes, of.count());
        net->forward(inputs_.host(), of.count(), features, nullptr);
        lengths_.clear();
        for (const feature_shape& shape : shapes)
            lengths_.resize(lengths_.size() + as_size(of.count() * shape.side * shape.side));
        float* of_scale = lengths_.data();
        for (std::size_t s = 0; s < shapes.size(); ++s) {
            const long places = shapes[s].side * shapes[s].side;
            parallel_chunks(of.count(), [&, s](long, long begin, long end) {
                for (long i = begin; i < end; ++i)
                    normalise_places(shapes[s], features[s] + i * shapes[s].size(),
                                     of_scale + i * places);
            });
            of_scale += of.count() * places;
        }
    }

    feature_set targets_, seen_;
    std::vector<float> lengths_;
    dlib::resizable_tensor inputs_;
};

// How far the embeddings of the faces of images and their targets are apart.
class identity_part {
  public:
    std::unique_ptr<feature_network> net; // or null
    std::vector<chip_square> squares;     // of each image of the batch
    dlib::resizable_tensor gradient;      // with respect to the windows of the images measured last

    void begin(long count) { targets_.resize(as_size(count * net->embedding_size())); }

    void remember(const some_images& of) {
        recognise(of);
        std::copy(embeddings_.begin(), embeddings_.end(),
                  targets_.begin() + of.first * net->embedding_size());
    }

    void measure(const some_images& of, double weight, projection_values* values, bool wanted) {
        const long size = net->embedding_size();
        recognise(of);
        of_embeddings_.resize(embeddings_.size());
        for (long i = 0; i < of.count(); ++i) {
            const float* target = targets_.data() + (of.first + i) * size;
            double squares_of = 0;
            for (long k = 0; k < size; ++k) {
                const double d = embeddings_[as_size(i * size + k)] - target[k];
                squares_of += d * d;
                of_embeddings_[as_size(i * size + k)] = static_cast<float>(2 * weight * d);
            }
            values[i].identity = std::sqrt(squares_of);
        }
        if (!wanted)
            return;
        for (std::vector<float>& scale : seen_.scales)
            std::fill(scale.begin(), scale.end(), 0.0f);
        gradient.copy_size(inputs_);
        net->backward(seen_.gradients(), of_embeddings_.data(), of.count(),
                      gradient.host_write_only());
        multiply(gradient, sigmoid_to_input, gradient);
    }

    void add_gradient(const some_images& of, dlib::tensor& of_images) {
        const float* from = gradient.host();
        float* to = of_images.host();
        parallel_chunks(of.count(), [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                cut_window_adjoint(squares[as_size(of.first + i)], from + i * window_values,
                                   to + i * image_values);
        });
    }

  private:
    void recognise(const some_images& of) {
        inputs_.set_size(of.count(), image_channels, face_chip_size, face_chip_size);
        const float* from = of.images.host();
        float* to = inputs_.host_write_only();
        parallel_chunks(of.count(), [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                cut_window(squares[as_size(of.first + i)], from + i * image_values,
                           to + i * window_values);
        });
        multiply(inputs_, sigmoid_to_input, inputs_);
        embeddings_.resize(as_size(of.count() * net->embedding_size()));
        net->forward(inputs_.host(), of.count(), seen_.targets(net->shapes(), of.count()),
                     embeddings_.data());
    }

    feature_set seen_;
    std::vector<float> targets_, embeddings_, of_embeddings_;
    dlib::resizable_tensor inputs_;
};

} // namespace

struct projector::implementation {
    std::unique_ptr<network> generator;
    perceptual_part perceptual;
    identity_part identity;

    long count = 0;
    projection_weights weights;
    adam solver;
    dlib::resizable_tensor latents, gradient; // count x 100
    dlib::resizable_tensor targets;           // count x 3 x 162 x 162 from 0 to 1

    // Of one part of the batch after another.
    dlib::resizable_tensor x, of_images;
    gradient_memory memory;

    // Calls f with the parts that count.
    template <typename F> void each_part(long images, F&& f) {
        const auto both = [&](long which) {
            if (which == 0 && weights.perceptual > 0)
                f(perceptual, weights.perceptual);
            if (which == 1 && weights.identity > 0)
                f(identity, weights.identity);
        };
        // A network takes a core for each image, so for a single one both run side by side.
        const auto run = [&](long, long begin, long end) {
            for (long which = begin; which < end; ++which)
                both(which);
        };
        if (images == 1)
            parallel_chunks(2, run);
        else
            run(0, 0, 2);
    }

    void remember_targets() {
        for (long begin = 0; begin < count; begin += batch_limit) {
            const long part = std::min(batch_limit, count - begin);
            const dlib::alias_tensor rows(part, image_channels, image_size, image_size);
            const auto some = rows(targets, as_size(begin * image_values));
            each_part(part, [&](auto& network, double) { network.remember({some, begin}); });
        }
    }

    void measure_part(long begin, long part, projection_values* values, bool wanted) {
        x.set_size(part, latent_size, 1, 1);
        std::copy_n(latents.host() + begin * latent_size, part * latent_size, x.host_write_only());
        const dlib::tensor& images = generator->forward(x);
        const dlib::alias_tensor rows(part, image_channels, image_size, image_size);
        std::vector<double> losses(as_size(part));
        pyramid_loss(images, rows(targets, as_size(begin * image_values)), of_images, 0,
                     losses.data());
        for (long i = 0; i < part; ++i)
            values[i].pyramid = losses[as_size(i)];
        const some_images some{images, begin};
        images.host(); // on a device, fetched before two threads read it
        each_part(part, [&](auto& network, double weight) {
            network.measure(some, weight, values, wanted);
        });
        if (wanted) {
            // It averages over the batch, and here each image is for itself.
            multiply(of_images, static_cast<float>(weights.pyramid * static_cast<double>(part)),
                     of_images);
            if (weights.perceptual > 0)
                dlib::tt::add(of_images, of_images, perceptual.gradient);
            if (weights.identity > 0)
                identity.add_gradient(some, of_images);
            const dlib::tensor& of_x = generator->backward(x, of_images, memory);
            std::copy_n(of_x.host(), part * latent_size, gradient.host() + begin * latent_size);
        }
        add_prior(begin, part, values);
    }

    void add_prior(long begin, long part, projection_values* values) {
        for (long i = 0; i < part; ++i) {
            const float* z = latents.host() + (begin + i) * latent_size;
            double squares = 0;
            for (long k = 0; k < latent_size; ++k)
                squares += static_cast<double>(z[k]) * z[k];
            const double length = std::sqrt(squares), beyond = std::max(length - longest, 0.0);
            values[i].prior = beyond * beyond;
            float* of_z = gradient.host() + (begin + i) * latent_size;
            for (long k = 0; k < latent_size && beyond > 0; ++k)
                of_z[k] += static_cast<float>(2 * weights.prior * beyond * z[k] / length);
        }
    }

    void measure(projection_values* values, bool wanted) {
        std::fill_n(values, count, projection_values());
        for (long begin = 0; begin < count; begin += batch_limit)
            measure_part(begin, std::min(batch_limit, count - begin), values + begin, wanted);
    }
};

projector::projector(const named_tensors& generator, const named_tensors& imagenet,
                     const std::string& recognition)
    : implementation_(std::make_unique<implementation>()) {
    implementation& own = *implementation_;
    own.generator = make_inference_network("generator", generator, 0.0f);
    own.generator->set_parameter_gradients(false);
    own.generator->set_data_gradient(true);
    if (!imagenet.empty())
        own.perceptual.net = make_imagenet_features(imagenet);
    if (!recognition.empty())
        own.identity.net = make_face_features(recognition, face_chip_size);
}

projector::~projector() = default;

void projector::begin(const std::uint8_t* targets, const chip_square* squares, const float* latents,
                      long count, const projection_weights& weights) {
    implementation& own = *implementation_;
    require(count >= 1, "there is no latent");
    require(weights.pyramid >= 0 && weights.perceptual >= 0 && weights.identity >= 0 &&
                weights.prior >= 0,
            "a weight is below 0");
    require(weights.perceptual == 0 || own.perceptual.net, "perceptual needs the ImageNet network");
    require(weights.identity == 0 || (own.identity.net && squares),
            "identity needs the recognition network and the squares of the faces");
    own.count = count;
    own.weights = weights;
    own.solver = adam();
    own.latents.set_size(count, latent_size);
    own.gradient.set_size(count, latent_size);
    std::copy_n(latents, count * latent_size, own.latents.host_write_only());
    std::fill_n(own.gradient.host_write_only(), count * latent_size, 0.0f);
    own.identity.squares.clear();
    if (squares)
        own.identity.squares.assign(squares, squares + count);
    pixels_to_planes(targets, count, 1 / 255.0f, own.targets);
    if (own.perceptual.net)
        own.perceptual.begin(count);
    if (own.identity.net)
        own.identity.begin(count);
    own.remember_targets();
}

void projector::measure(projection_values* values, float* gradient) {
    implementation& own = *implementation_;
    require(own.count > 0, "begin has not been called");
    own.measure(values, gradient != nullptr);
    if (gradient)
        std::copy_n(own.gradient.host(), own.count * latent_size, gradient);
}

void projector::step(double learning_rate, projection_values* values) {
    implementation& own = *implementation_;
    require(own.count > 0, "begin has not been called");
    require(learning_rate > 0 && learning_rate < 1, "learning_rate is not in (0, 1)");
    own.measure(values, true);
    own.solver.update({{"latents", &own.latents, &own.gradient}}, learning_rate, beta1, beta2);
}

long projector::count() const { return implementation_->count; }

const float* projector::latents() const { return implementation_->latents.host(); }

} // namespace ffgan
