// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the heads of a projected discriminator judge one by one can be too much alike. The energy
// distance and the Frechet distance compare whole sets: of the features' statistics at each scale,
// and of the embeddings, where the network makes any. Pairs that should look alike are compared one
// by one, in the same respects.

#pragma once

#include "base/named_tensor.h"
#include "base/ranks.h"
#include "base/shapes.h"
#include "losses/energy_distance.h"
#include "losses/frechet_distance.h"

#include <cstddef>
#include <string>
#include <vector>

namespace ffgan {

// How much each counts in the gradient for G.
struct distance_weights {
    double identities = 0; // the energy distance of the embeddings
    double statistics = 0; // the mean of those of the features' means and of their deviations
    double frechet = 0;    // the Frechet distances: as those, and of the statistics at the border
    // The mean distances of the first pairs: of the statistics, and of the embeddings.
    double pairs = 0, embedding_pairs = 0;
    long paired = 0; // so many of them, each a real image and what should look like it
};

struct distance_values {
    double identities = 0, statistics = 0, frechet = 0, pairs = 0;
};

class feature_distances {
  public:
    feature_distances(const std::vector<feature_shape>& shapes, long embedding_size,
                      const ranks& all = {});

    // Before the features of a pass over `whole` real images and as many fakes of all ranks.
    void begin(long whole, const distance_weights& weights);
    // Where the embeddings of each kind go; null if they are not wanted.
    float* real_embeddings();
    float* fake_embeddings();

    void compare_embeddings();
    // features: of the real images, then of the fakes.
    void compare_statistics(std::size_t scale, const float* features);
    // This rank's part of them.
    const distance_values& values() const { return values_; }

    // Writes the gradient with respect to the features of a fake, times `factor`, over them; 0
    // where statistics do not count.
    void write_gradient(std::size_t scale, long fake, float factor, float* features) const;
    // With respect to the fakes' embeddings; null if they were not wanted.
    const float* embedding_gradient() const;

    void reset();

    // What is remembered of the last steps. prefix: of the embeddings' distances; scale_prefix,
    // with the scale's number from 1 and a dot: of the statistics'.
    void add_state(const std::string& prefix, const std::string& scale_prefix,
                   named_tensors& state) const;
    // Begins anew with what the state lacks.
    void load_state(const std::string& prefix, const std::string& scale_prefix,
                    const named_tensors& state);

  private:
    // One kind of vector, and how far its distributions are apart.
    struct compared {
        energy_distance energy;
        frechet_distance frechet;
        std::vector<float> of_fakes; // the gradient

        compared(long size, scaling how) : energy(size), frechet(size, how) {}
        long size() const { return energy.size(); }
        void reset();
        void add_state(const std::string& prefix, named_tensors& state) const;
        void load_state(const std::string& prefix, const named_tensors& state);
    };

    void compare(compared& what, const float* real, const float* fakes, double weight,
                 double of_pairs, double factor, double& between);
    void add_frechet(frechet_distance& distance, const float* real, const float* fakes,
                     double factor, std::vector<float>& of_fakes);
    // The first pairs take no part in comparisons of sets.
    long paired() const { return weights_.pairs > 0 ? weights_.paired : 0; }
    bool has_energy(double weight, double of_pairs) const {
        return weight > 0 || (of_pairs > 0 && weights_.paired > 0);
    }
    bool has_statistics() const {
        return weights_.frechet > 0 || has_energy(weights_.statistics, weights_.pairs);
    }
    bool has_embeddings() const {
        return embeddings_.size() > 0 &&
               (weights_.frechet > 0 || has_energy(weights_.identities, weights_.embedding_pairs));
    }

    struct scale_data {
        feature_shape shape;
        compared statistics;
        std::vector<float> values;
        // The same statistics of the outermost places alone.
        frechet_distance border;
        std::vector<float> border_values, of_border;
    };

    compared embeddings_;
    std::vector<float> embedding_values_;
    std::vector<scale_data> scales_;
    ranks all_;
    long whole_ = 0, count_ = 0; // the images of all ranks, and of this one
    distance_weights weights_;
    distance_values values_;
};

} // namespace ffgan
