// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether generated images have as much detail and as much colour as the real ones, and vary in
// both as they do. Each image is described by a few numbers: of light and both differences of
// colour the root mean square of each band of a Laplacian pyramid, and the mean and deviation of
// what remains. The loss is the energy distance of these descriptions, those of the last steps
// among them.
//
// A discriminator that sees one image at a time is content with skin and walls of the usual
// colours; here a batch of pale ones is missing the others.

#include "base/threads.h"
#include "losses/energy_distance.h"
#include "losses/laplacian_pyramid.h"
#include "losses/loss.h"
#include "losses/ycbcr.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ffgan {
namespace {

constexpr int levels = 6; // with what remains: 6x6 pixels of 162x162
constexpr long channels = rgb_channels;
constexpr long numbers = levels + 1; // of a channel: its bands, the rest's deviation and mean
constexpr double half_step = 0.5 / 255;
constexpr double least = half_step * half_step; // what rounding to 8 bits leaves of a mean square

double mean(const plane& band) {
    double sum = 0;
    for (const float v : band.values)
        sum += v;
    return sum / static_cast<double>(band.values.size());
}

double mean_square(const plane& band, double around) {
    double sum = 0;
    for (const float v : band.values)
        sum += (v - around) * (v - around);
    return sum / static_cast<double>(band.values.size());
}

// One of light and the differences of colour.
plane channel_of(const dlib::tensor& images, long n, long channel) {
    plane result(images.nr(), images.nc());
    const std::size_t values = result.values.size();
    const float* x = images.host() + static_cast<std::size_t>(n * channels) * values;
    for (std::size_t k = 0; k < rgb_channels; ++k) {
        const float weight = ycbcr[static_cast<std::size_t>(channel)][k];
        for (std::size_t i = 0; i < values; ++i)
            result.values[i] += weight * x[k * values + i];
    }
    return result;
}

// Writes a channel's description.
void describe(const std::vector<plane>& bands, float* description) {
    for (int level = 0; level + 1 < levels; ++level)
        description[level] = static_cast<float>(
            std::sqrt(mean_square(bands[static_cast<std::size_t>(level)], 0) + least));
    const double rest = mean(bands.back());
    description[levels - 1] =
        static_cast<float>(std::sqrt(mean_square(bands.back(), rest) + least));
    description[levels] = static_cast<float>(rest);
}

// The gradient with respect to a channel, from that with respect to its description.
plane undescribe(std::vector<plane> bands, const float* slopes) {
    for (int level = 0; level < levels; ++level) {
        plane& band = bands[static_cast<std::size_t>(level)];
        const bool rest = level + 1 == levels;
        const double around = rest ? mean(band) : 0;
        const double count = static_cast<double>(band.values.size());
        const double root = std::sqrt(mean_square(band, around) + least);
        const double scale = slopes[level] / (count * root);
        const double of_mean = rest ? slopes[levels] / count : 0;
        for (float& v : band.values)
            v = static_cast<float>(scale * (v - around) + of_mean);
    }
    return laplacian_adjoint(std::move(bands));
}

std::vector<float> descriptions(const dlib::tensor& images) {
    const long count = static_cast<long>(images.num_samples()) * channels;
    std::vector<float> result(static_cast<std::size_t>(count * numbers));
    images.host(); // before the threads ask for it
    parallel_chunks(count, [&](long, long begin, long end) {
        for (long i = begin; i < end; ++i)
            describe(laplacian_bands(channel_of(images, i / channels, i % channels), levels),
                     result.data() + i * numbers);
    });
    return result;
}

class spectrum final : public generator_loss {
  public:
    double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) override {
        const std::vector<float> real = descriptions(inputs.real.planes());
        const std::vector<float> fakes = descriptions(inputs.fakes);
        std::vector<float> slopes(fakes.size());
        const double distance = distance_.step_of_ranks(real.data(), fakes.data(), inputs.all,
                                                        inputs.whole, 0, slopes.data());
        differentiate(inputs.fakes, slopes, gradient);
        return distance;
    }

    void add_state(const std::string& prefix, named_tensors& state) const override {
        distance_.add_state(prefix, state);
    }

    void load_state(const std::string& prefix, const named_tensors& state) override {
        distance_.reset();
        if (!with_prefix(prefix, state).empty())
            distance_.load_state(prefix, state);
    }

  private:
    static void differentiate(const dlib::tensor& fakes, const std::vector<float>& slopes,
                              dlib::resizable_tensor& gradient) {
        gradient.copy_size(fakes);
        const long values = fakes.nr() * fakes.nc();
        float* all_gradients = gradient.host_write_only();
        parallel_chunks(static_cast<long>(fakes.num_samples()), [&](long, long begin, long end) {
            for (long n = begin; n < end; ++n) {
                float* g = all_gradients + n * channels * values;
                std::fill_n(g, channels * values, 0.0f);
                for (long c = 0; c < channels; ++c) {
                    const plane of_channel =
                        undescribe(laplacian_bands(channel_of(fakes, n, c), levels),
                                   slopes.data() + (n * channels + c) * numbers);
                    for (std::size_t k = 0; k < rgb_channels; ++k) {
                        const float weight = ycbcr[static_cast<std::size_t>(c)][k];
                        float* of_plane = g + static_cast<long>(k) * values;
                        for (long i = 0; i < values; ++i)
                            of_plane[i] += weight * of_channel.values[static_cast<std::size_t>(i)];
                    }
                }
            }
        });
    }

    // Where all real images are grey, any colour is far from them.
    energy_distance distance_{channels * numbers, half_step};
};

} // namespace

loss_description spectrum_loss() {
    return {"spectrum",
            "spectrum_distance",
            "weight of the energy distance between how much detail and colour generated and real "
            "images have in each octave",
            "Detail and colour by octave, beside the real images",
            "energy distance",
            make_loss<spectrum>};
}

} // namespace ffgan
