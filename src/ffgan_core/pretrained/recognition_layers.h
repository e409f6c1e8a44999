// SPDX-License-Identifier: GPL-3.0-or-later
//
// dlib's face recognition network on the processor, its filters packed once: what lies between its
// pixels and its embedding, forward and back to the pixels.

#pragma once

#include "base/shapes.h"
#include "kernels/pixel_product.h"
#include "pretrained/pixel_patches.h"
#include "pretrained/recognition_weights.h"
#include "pretrained/residual_unit.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace ffgan {

class recognition_layers {
  public:
    // side: of the images in pixels.
    recognition_layers(const recognition_weights& weights, long side);
    ~recognition_layers();

    // Of the layers whose output is read, the finest first.
    const std::vector<feature_shape>& shapes() const { return shapes_; }

    // Bytes that backward needs of forward, of an image.
    long gates() const { return gates_; }

    // Images that a call should take, if there are so many.
    static constexpr long group = 8;

    // One call, on the calling thread: of `count` images, at most `group`, 3 x side x side on the
    // scale of pixel_to_input. targets[scale]: channels x side x side of the first image, the
    // others behind it; empty: they are not written. Where embeddings is null, the layers behind
    // the last features are left out.
    void forward(const float* images, long count, const std::vector<float*>& targets,
                 float* embeddings, std::uint8_t* gates) const;
    void backward(const std::vector<const float*>& gradients, const float* of_embeddings,
                  long count, const std::uint8_t* gates, float* of_images) const;

  private:
    // Units on images of one size; the first of them goes down to it, but for the first level.
    struct level {
        std::vector<std::unique_ptr<const residual_unit>> units;
        layers::padded_image room;
        long side = 0;
        long at_once = 1; // images that fit into the L2 cache
    };
    struct memory;
    static memory& own_memory();

    void add_level(long units, const recognition_weights& weights, std::size_t& next);
    std::size_t levels(bool embeddings) const { return embeddings ? levels_.size() : 3; }
    void first_layers(const float* image, const layers::image_view& out, std::uint8_t* gates,
                      memory& own) const;
    void first_layers_adjoint(const layers::image_view& of_out, const std::uint8_t* gates,
                              float* of_image, memory& own) const;

    const long side_, first_side_;
    std::array<float, 3> offsets_{};
    pixel_patches patches_;
    layers::pixel_filters first_, first_adjoint_, embed_, embed_adjoint_;
    std::vector<float> first_bias_;
    std::vector<level> levels_;
    std::vector<feature_shape> shapes_;
    long gates_ = 0;
};

} // namespace ffgan
