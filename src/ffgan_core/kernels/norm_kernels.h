// SPDX-License-Identifier: GPL-3.0-or-later
//
// Batch normalisation of (samples, channels, places) floats, together with the activation and the
// dropout that stand next to it between two convolutions. These passes are bound by the memory, so
// there is one in each direction: a channel's statistics (or sums of gradients) are taken first,
// and its values are computed while the channel is still in the cache. Every channel belongs to one
// thread, so results do not depend on the number of threads.

#pragma once

#include <cstdint>
#include <vector>

namespace ffgan::layers {

struct norm_shape {
    long samples, channels, places;
};

// What surrounds the norm: factor * kept(after(norm(before(x)))), where before and after are
// leaky ReLUs with these slopes and kept zeroes the elements whose bit of the mask is 0.
struct norm_surroundings {
    float slope_before = 1;
    float slope_after = 1;
    const std::uint64_t* mask = nullptr; // null: all are kept
    float factor = 1;
};

// For a batch that several processes share, which the kernels know nothing of. `parts` are what one
// of them has summed over its samples, for each `rows` rows of `length`; `sums` receives the sums
// of the rows of all samples, in their order.
struct shared_sums {
    double values; // of a channel, in the whole batch
    void (*add_up)(const void* context, const std::vector<double>& parts, long rows, long length,
                   double* sums);
    const void* context;
};

// Means and variances (divided by the count, not the count less one) over samples and places.
void channel_statistics(const norm_shape& shape, const float* input, double* means,
                        double* variances);

// What these are made of: for each sample and channel the mean of before(input) and the sum of the
// squared differences from it.
void plane_statistics(const norm_shape& shape, const norm_surroundings& around, const float* input,
                      double* means, double* squares);
// The statistics of a batch of `samples` from those of its planes.
void join_planes(long samples, long channels, long places, const double* plane_means,
                 const double* plane_squares, double* means, double* variances);

// The norm being (x - mean) * scale + shift.
void normalize(const norm_shape& shape, const norm_surroundings& around, const float* input,
               const float* means, const float* scales, const float* shifts, float* output);

// The norm being gamma * (x - mean) * invstd + beta with invstd = 1 / sqrt(variance + eps), by the
// statistics of before(input), which are stored.
void normalize_batch(const norm_shape& shape, const norm_surroundings& around, double eps,
                     const float* gamma, const float* beta, const float* input, double* means,
                     double* variances, float* rounded_means, float* invstds, float* output);

// The gradients of normalize_batch, or of normalize where means and invstds are constants, not
// functions of the input (`batch_statistics` false): see Ioffe and Szegedy, "Batch normalization",
// 2015, section 3. data_gradient is added to when `add`, else written, and may then be `gradient`.
// shared: where the statistics are those of a shared batch; the gradients of gamma and beta are
// then this process's part of them.
void normalize_backward(const norm_shape& shape, const norm_surroundings& around,
                        bool batch_statistics, const float* input, const float* gradient,
                        const float* means, const float* invstds, const float* gamma,
                        const float* beta, bool add, float* data_gradient, float* gamma_gradient,
                        float* beta_gradient, const shared_sums* shared = nullptr);

} // namespace ffgan::layers
