// SPDX-License-Identifier: GPL-3.0-or-later
#include "training/frozen_networks.h"

#include "pretrained/face_features.h"
#include "pretrained/imagenet_features.h"
#include "training/projected_discriminator.h"
#include "training/random_streams.h"

#include <string>
#include <utility>

namespace ffgan {
namespace {

struct row {
    const char* name; // its measures and its state begin with it; its weight is <name>_weight
    double trainer_settings::*weight;
    double trainer_settings::*details;  // share of the pairs; null: none
    double trainer_settings::*identity; // weight of the distance of embeddings; null: none
    std::unique_ptr<feature_network> (*make)(const trainer_settings&);
    std::uint64_t stream; // of its random numbers, from the step's key; 0: the key itself
};

const row rows[] = {
    {"projected", &trainer_settings::projected_weight, &trainer_settings::projected_details,
     &trainer_settings::identity_weight,
     [](const trainer_settings& settings) { return make_face_features(settings.recognition); }, 0},
    {"imagenet", &trainer_settings::imagenet_weight, nullptr, nullptr,
     [](const trainer_settings& settings) { return make_imagenet_features(settings.imagenet); }, 3},
};

class projected_adversary final : public adversary {
  public:
    // networks: how many there are; some measures are means over them.
    projected_adversary(const row& what, const trainer_settings& settings, std::uint64_t start,
                        double networks, const ranks& all)
        : name_(what.name), seed_(settings.seed), stream_(what.stream), networks_(networks),
          details_(what.details != nullptr && settings.*what.details > 0),
          discriminator_(what.make(settings),
                         {settings.loss, settings.label_smoothing, settings.projected_penalty},
                         details_ ? settings.*what.details : 0, start, all) {
        weights_.heads = settings.*what.weight;
        if (what.identity != nullptr) {
            weights_.distances.identities = settings.*what.identity;
            weights_.distances.embedding_pairs = settings.perceptual_weight;
        }
        weights_.distances.statistics = settings.matching_weight;
        weights_.distances.frechet = settings.frechet_weight;
        weights_.distances.pairs = settings.perceptual_weight;
    }

    void name_measures(measures& result) const override {
        result[name_ + "_loss"] = 0;
        result[name_ + "_accuracy"] = 0;
        if (details_) {
            result["detail_loss"] = 0;
            result["detail_accuracy"] = 0;
        }
        if (weights_.distances.identities > 0)
            result["identity_distance"] = 0;
        if (weights_.distances.statistics > 0)
            result["matching_distance"] = 0;
        if (weights_.distances.frechet > 0)
            result["feature_frechet"] = 0;
        if (weights_.distances.pairs > 0)
            result["perceptual"] = 0;
    }

    void update(const judged_images& batch, gradient_memory& memory, dlib::tensor* gradient,
                measures& result) override {
        std::uint64_t key = pass_key(seed_, batch.step, frozen_pass);
        if (stream_ != 0)
            key = counter_random(key, stream_, 0);
        weights_.distances.paired = batch.anchored;
        const projected_values judged =
            discriminator_.step(batch.images.host(), batch.whole, key, batch.rates, weights_,
                                memory, gradient ? gradient->host_write_only() : nullptr);
        result[name_ + "_loss"] = judged.whole.loss_d;
        result[name_ + "_accuracy"] = judged.whole.accuracy_real;
        if (details_) {
            result["detail_loss"] = judged.details.loss_d;
            result["detail_accuracy"] = judged.details.accuracy_real;
        }
        if (weights_.distances.identities > 0)
            result["identity_distance"] = judged.distances.identities;
        if (weights_.distances.statistics > 0)
            result["matching_distance"] += judged.distances.statistics / networks_;
        if (weights_.distances.frechet > 0)
            result["feature_frechet"] += judged.distances.frechet / networks_;
        if (weights_.distances.pairs > 0)
            result["perceptual"] += judged.distances.pairs / networks_;
    }

    void reset() override { discriminator_.reset(); }

    void add_state(named_tensors& state) override { discriminator_.add_state(name_ + ".", state); }

    void load_state(const named_tensors& state) override {
        // A run can take it up in its midst.
        if (!with_prefix(name_ + ".", state).empty())
            discriminator_.load_state(name_ + ".", state);
    }

  private:
    std::string name_;
    std::uint64_t seed_, stream_;
    double networks_;
    bool details_;
    projected_weights weights_;
    projected_discriminator discriminator_;
};

} // namespace

std::vector<std::unique_ptr<adversary>> make_frozen_networks(const trainer_settings& settings,
                                                             const ranks& all) {
    double number = 0;
    for (const row& each : rows)
        number += settings.*each.weight > 0;
    std::vector<std::unique_ptr<adversary>> result;
    std::uint64_t start = frozen_start;
    for (const row& each : rows) {
        if (settings.*each.weight > 0)
            result.push_back(std::make_unique<projected_adversary>(
                each, settings, start_key(settings.seed, start), number, all));
        ++start;
    }
    return result;
}

} // namespace ffgan
