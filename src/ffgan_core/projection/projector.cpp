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

} // namespace

struct projector::implementation {
    std::unique_ptr<network> generator;
    std::unique_ptr<feature_network> imagenet, recognition; // or null

    long count = 0;
    projection_weights weights;
    adam solver;
    dlib::resizable_tensor latents, gradient; // count x 100
    dlib::resizable_tensor targets;           // count x 3 x 162 x 162 from 0 to 1
    feature_set seen_targets;                 // by the ImageNet network, normalised
    std::vector<chip_square> squares;
    std::vector<float> target_embeddings;

    // Of one part of the batch after another.
    dlib::resizable_tensor x, of_images, inputs, of_inputs;
    gradient_memory memory;
    feature_set seen;
    std::vector<float> lengths, embeddings, of_embeddings;

    void remember_targets() {
        for (long begin = 0; begin < count; begin += batch_limit) {
            const long part = std::min(batch_limit, count - begin);
            const dlib::alias_tensor rows(part, image_channels, image_size, image_size);
            const auto some = rows(targets, as_size(begin * image_values));
            if (weights.perceptual > 0) {
                look(some);
                for (std::size_t s = 0; s < seen.scales.size(); ++s) {
                    const long size = imagenet->shapes()[s].size();
                    std::copy_n(seen.scales[s].data(), part * size,
                                seen_targets.scales[s].data() + begin * size);
                }
            }
            if (weights.identity > 0) {
                recognise(some, begin);
                std::copy_n(embeddings.data(), part * recognition->embedding_size(),
                            target_embeddings.data() + begin * recognition->embedding_size());
            }
        }
    }

    // What the ImageNet network sees, normalised.
    void look(const dlib::tensor& images) {
        const long part = static_cast<long>(images.num_samples());
        inputs.copy_size(images);
        multiply(images, sigmoid_to_input, inputs);
        const std::vector<feature_shape>& shapes = imagenet->shapes();
        const std::vector<float*> features = seen.targets(shapes, part);
        imagenet->forward(inputs.host(), part, features, nullptr);
        lengths.clear();
        for (const feature_shape& shape : shapes)
            lengths.resize(lengths.size() + as_size(part * shape.side * shape.side));
        float* of_scale = lengths.data();
        for (std::size_t s = 0; s < shapes.size(); ++s) {
            const long places = shapes[s].side * shapes[s].side;
            parallel_chunks(part, [&, s](long, long begin, long end) {
                for (long i = begin; i < end; ++i)
                    normalise_places(shapes[s], features[s] + i * shapes[s].size(),
                                     of_scale + i * places);
            });
            of_scale += part * places;
        }
    }

    // The embeddings of the faces of images, the first of which is `first` in the batch.
    void recognise(const dlib::tensor& images, long first) {
        const long part = static_cast<long>(images.num_samples());
        inputs.set_size(part, image_channels, face_chip_size, face_chip_size);
        const float* from = images.host();
        float* to = inputs.host_write_only();
        parallel_chunks(part, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                cut_window(squares[as_size(first + i)], from + i * image_values,
                           to + i * window_values);
        });
        multiply(inputs, sigmoid_to_input, inputs);
        embeddings.resize(as_size(part * recognition->embedding_size()));
        recognition->forward(inputs.host(), part, seen.targets(recognition->shapes(), part),
                             embeddings.data());
    }

    void measure_part(long begin, long part, projection_values* values, bool wanted) {
        const dlib::alias_tensor some_latents(part, latent_size, 1, 1);
        x.set_size(part, latent_size, 1, 1);
        std::copy_n(latents.host() + begin * latent_size, part * latent_size, x.host_write_only());
        const dlib::tensor& images = generator->forward(x);
        const dlib::alias_tensor rows(part, image_channels, image_size, image_size);
        std::vector<double> losses(as_size(part));
        pyramid_loss(images, rows(targets, as_size(begin * image_values)), of_images, 0,
                     losses.data());
        // It averages over the batch, and here each image is for itself.
        multiply(of_images, static_cast<float>(weights.pyramid * static_cast<double>(part)),
                 of_images);
        for (long i = 0; i < part; ++i)
            values[i].pyramid = losses[as_size(i)];
        if (weights.perceptual > 0)
            add_perceptual(images, begin, values, wanted);
        if (weights.identity > 0)
            add_identity(images, begin, values, wanted);
        if (wanted) {
            const dlib::tensor& of_x = generator->backward(x, of_images, memory);
            std::copy_n(of_x.host(), part * latent_size, gradient.host() + begin * latent_size);
        }
        add_prior(begin, part, values);
    }

    void add_perceptual(const dlib::tensor& images, long first, projection_values* values,
                        bool wanted) {
        const long part = static_cast<long>(images.num_samples());
        look(images);
        const std::vector<feature_shape>& shapes = imagenet->shapes();
        const double share = 1.0 / static_cast<double>(shapes.size());
        parallel_chunks(part, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i) {
                const float* of_scale = lengths.data();
                for (std::size_t s = 0; s < shapes.size(); ++s) {
                    const long size = shapes[s].size(), places = shapes[s].side * shapes[s].side;
                    values[i].perceptual +=
                        share * feature_distance(shapes[s],
                                                 seen_targets.scales[s].data() + (first + i) * size,
                                                 of_scale + i * places, share * weights.perceptual,
                                                 seen.scales[s].data() + i * size);
                    of_scale += part * places;
                }
            }
        });
        if (!wanted)
            return;
        of_inputs.copy_size(images);
        imagenet->backward(seen.gradients(), nullptr, part, of_inputs.host_write_only());
        multiply(of_inputs, sigmoid_to_input, of_inputs);
        dlib::tt::add(of_images, of_images, of_inputs);
    }

    void add_identity(const dlib::tensor& images, long first, projection_values* values,
                      bool wanted) {
        const long part = static_cast<long>(images.num_samples());
        const long size = recognition->embedding_size();
        recognise(images, first);
        of_embeddings.resize(embeddings.size());
        for (long i = 0; i < part; ++i) {
            const float* target = target_embeddings.data() + (first + i) * size;
            double squares = 0;
            for (long k = 0; k < size; ++k) {
                const double d = embeddings[as_size(i * size + k)] - target[k];
                squares += d * d;
                of_embeddings[as_size(i * size + k)] = static_cast<float>(2 * weights.identity * d);
            }
            values[i].identity = std::sqrt(squares);
        }
        if (!wanted)
            return;
        for (std::vector<float>& scale : seen.scales)
            std::fill(scale.begin(), scale.end(), 0.0f);
        of_inputs.copy_size(inputs);
        recognition->backward(seen.gradients(), of_embeddings.data(), part,
                              of_inputs.host_write_only());
        multiply(of_inputs, sigmoid_to_input, of_inputs);
        const float* from = of_inputs.host();
        float* to = of_images.host();
        parallel_chunks(part, [&](long, long begin, long end) {
            for (long i = begin; i < end; ++i)
                cut_window_adjoint(squares[as_size(first + i)], from + i * window_values,
                                   to + i * image_values);
        });
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
        own.imagenet = make_imagenet_features(imagenet);
    if (!recognition.empty())
        own.recognition = make_face_features(recognition, face_chip_size);
}

projector::~projector() = default;

void projector::begin(const std::uint8_t* targets, const chip_square* squares, const float* latents,
                      long count, const projection_weights& weights) {
    implementation& own = *implementation_;
    require(count >= 1, "there is no latent");
    require(weights.pyramid >= 0 && weights.perceptual >= 0 && weights.identity >= 0 &&
                weights.prior >= 0,
            "a weight is below 0");
    require(weights.perceptual == 0 || own.imagenet, "perceptual needs the ImageNet network");
    require(weights.identity == 0 || (own.recognition && squares),
            "identity needs the recognition network and the squares of the faces");
    own.count = count;
    own.weights = weights;
    own.solver = adam();
    own.latents.set_size(count, latent_size);
    own.gradient.set_size(count, latent_size);
    std::copy_n(latents, count * latent_size, own.latents.host_write_only());
    std::fill_n(own.gradient.host_write_only(), count * latent_size, 0.0f);
    own.squares.clear();
    if (squares)
        own.squares.assign(squares, squares + count);
    pixels_to_planes(targets, count, 1 / 255.0f, own.targets);
    if (own.imagenet)
        own.seen_targets.targets(own.imagenet->shapes(), count);
    if (own.recognition)
        own.target_embeddings.resize(as_size(count * own.recognition->embedding_size()));
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
