// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether neighbouring pixels near the four sides of an image differ as much as those of the real
// images do. The outermost pixels of a transposed convolution come from fewer taps than the others,
// and few discriminators look there, so generated images tend to have a frame: outer rows that are
// even in themselves and differ from the next ones.
//
// For each side, each of the outermost places p, and both kinds of neighbours (rows p and p + 1;
// the pixels of row p), m is the mean over images, channels and pixels of sqrt(d^2 + e^2) - e for
// their differences d. The measure is the mean of ((m - n) / (n + e))^2 over all of these, where n
// is that of the real images.
//
// A batch has too few images for that, so both m and n are averages over the last steps, and the
// gradient is that of the newest batch, as if all of m moved with it.

#include "base/threads.h"
#include "losses/loss.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace ffgan {
namespace {

constexpr double smoothing = 1.0 / 255; // e, a step of 8-bit pixels
constexpr float decay = 0.95f;          // of the averages, a step
constexpr long places = 8;              // the outermost ones, where a whole image's frame lies
constexpr long sides = 4, kinds = 2;
constexpr std::size_t cells = sides * places * kinds;

using by_cell = std::array<double, cells>;

// `count` pairs of neighbours: first + i * stride, and `apart` values after it.
struct run_of_pairs {
    long first, stride, count, apart;
};

// Calls f(cell, run) for each cell of a plane.
template <typename F> void each_cell(long rows, long columns, F&& f) {
    std::size_t cell = 0;
    for (long p = 0; p < places; ++p) {
        const long below = (rows - 1 - p) * columns, right = columns - 1 - p;
        f(cell++, run_of_pairs{p * columns, 1, columns, columns});
        f(cell++, run_of_pairs{below, 1, columns, -columns});
        f(cell++, run_of_pairs{p, columns, rows, 1});
        f(cell++, run_of_pairs{right, columns, rows, -1});
        f(cell++, run_of_pairs{p * columns, 1, columns - 1, 1});
        f(cell++, run_of_pairs{below, 1, columns - 1, 1});
        f(cell++, run_of_pairs{p, columns, rows - 1, columns});
        f(cell++, run_of_pairs{right, columns, rows - 1, columns});
    }
}

// In `whole` images like these.
double pairs_of(const dlib::tensor& images, long whole, const run_of_pairs& run) {
    return static_cast<double>(whole * images.k() * run.count);
}

// Over the `whole` images of all ranks.
by_cell mean_differences(const dlib::tensor& images, const ranks& all, long whole) {
    const long values = images.nr() * images.nc();
    const long planes = static_cast<long>(images.num_samples() * images.k());
    const float* pixels = images.host();
    std::vector<by_cell> of_planes(static_cast<std::size_t>(planes));
    parallel_chunks(planes, [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const float* x = pixels + n * values;
            by_cell& sums = of_planes[static_cast<std::size_t>(n)];
            each_cell(images.nr(), images.nc(), [&](std::size_t cell, const run_of_pairs& run) {
                double sum = 0;
                for (long i = run.first, k = 0; k < run.count; ++k, i += run.stride) {
                    const double d = static_cast<double>(x[i + run.apart]) - x[i];
                    sum += std::sqrt(d * d + smoothing * smoothing) - smoothing;
                }
                sums[cell] = sum;
            });
        }
    });
    by_cell means{};
    for (const by_cell& sums : of_planes)
        for (std::size_t cell = 0; cell < cells; ++cell)
            means[cell] += sums[cell];
    all.sum(means.data(), cells);
    each_cell(images.nr(), images.nc(), [&](std::size_t cell, const run_of_pairs& run) {
        means[cell] /= pairs_of(images, whole, run);
    });
    return means;
}

// The sum over the cells of their slopes times the derivatives of their means.
void differentiate(const dlib::tensor& images, long whole, const by_cell& slopes,
                   dlib::resizable_tensor& gradient) {
    const long values = images.nr() * images.nc();
    const long planes = static_cast<long>(images.num_samples() * images.k());
    const float* all = images.host();
    gradient.copy_size(images);
    float* all_gradients = gradient.host_write_only();
    parallel_chunks(planes, [&](long, long begin, long end) {
        for (long n = begin; n < end; ++n) {
            const float* x = all + n * values;
            float* g = all_gradients + n * values;
            std::fill_n(g, values, 0.0f);
            each_cell(images.nr(), images.nc(), [&](std::size_t cell, const run_of_pairs& run) {
                const double slope = slopes[cell] / pairs_of(images, whole, run);
                for (long i = run.first, k = 0; k < run.count; ++k, i += run.stride) {
                    const double d = static_cast<double>(x[i + run.apart]) - x[i];
                    const float change =
                        static_cast<float>(slope * d / std::sqrt(d * d + smoothing * smoothing));
                    g[i + run.apart] += change;
                    g[i] -= change;
                }
            });
        }
    });
}

class border final : public generator_loss {
  public:
    double measure(const loss_inputs& inputs, dlib::resizable_tensor& gradient) override {
        remember(mean_differences(inputs.real.planes(), inputs.all, inputs.whole), real_);
        remember(mean_differences(inputs.fakes, inputs.all, inputs.whole), fakes_);
        double distance = 0;
        by_cell slopes{};
        for (std::size_t cell = 0; cell < cells; ++cell) {
            const double unit = real_[cell] + smoothing;
            const double excess = (static_cast<double>(fakes_[cell]) - real_[cell]) / unit;
            distance += excess * excess / cells;
            slopes[cell] = 2 * excess / (unit * cells);
        }
        differentiate(inputs.fakes, inputs.whole, slopes, gradient);
        return inputs.all.once(distance);
    }

    void add_state(const std::string& prefix, named_tensors& state) const override {
        if (real_.empty())
            return;
        state[prefix + "real"] = {{static_cast<long>(cells)}, real_};
        state[prefix + "fakes"] = {{static_cast<long>(cells)}, fakes_};
    }

    void load_state(const std::string& prefix, const named_tensors& state) override {
        const named_tensors own = with_prefix(prefix, state);
        if (own.empty()) {
            real_.clear();
            fakes_.clear();
            return;
        }
        real_ = read(own, prefix, "real");
        fakes_ = read(own, prefix, "fakes");
    }

  private:
    static void remember(const by_cell& newest, std::vector<float>& average) {
        if (average.empty())
            average.assign(newest.begin(), newest.end());
        else
            for (std::size_t cell = 0; cell < cells; ++cell)
                average[cell] =
                    decay * average[cell] + (1 - decay) * static_cast<float>(newest[cell]);
    }

    static std::vector<float> read(const named_tensors& own, const std::string& prefix,
                                   const std::string& name) {
        const auto found = own.find(name);
        if (found == own.end() || found->second.values.size() != cells)
            throw std::invalid_argument("the training state lacks '" + prefix + name + "'");
        return found->second.values;
    }

    std::vector<float> real_, fakes_; // average m of the cells; empty before the first step
};

} // namespace

loss_description border_loss() {
    return {"border",
            "border_distance",
            "weight of how far differences of neighbouring pixels near the sides of generated "
            "images are from those of the real ones",
            "Differences near the sides, beside those of the real images",
            "mean squared relative difference",
            make_loss<border>};
}

} // namespace ffgan
