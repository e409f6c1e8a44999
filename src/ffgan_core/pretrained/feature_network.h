// SPDX-License-Identifier: GPL-3.0-or-later
//
// What projected_discriminator.h needs of a network that others trained: the features that it makes
// of images, at several scales, and the way back.

#pragma once

#include "base/shapes.h"

#include <vector>

namespace ffgan {

// The parameters stay as they are, and what it makes of an image depends on no other image.
class feature_network {
  public:
    virtual ~feature_network() = default;

    // Of the features at each scale, the finest first.
    virtual const std::vector<feature_shape>& shapes() const = 0;

    // The numbers of an embedding, a vector that stands for the whole image; 0: it makes none.
    virtual long embedding_size() const = 0;

    // images: `count` x 3 x 162 x 162, unless it was made for others, on the scale of
    // pixel_to_input. targets: of each scale, room
    // for the features of all. embeddings: likewise, or null if they are not wanted.
    virtual void forward(const float* images, long count, const std::vector<float*>& targets,
                         float* embeddings) = 0;

    // From gradients with respect to what forward wrote last, that with respect to its images.
    // of_embeddings is null if and only if these were not wanted.
    virtual void backward(const std::vector<const float*>& gradients, const float* of_embeddings,
                          long count, float* of_images) = 0;
};

} // namespace ffgan
