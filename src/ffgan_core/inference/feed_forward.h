// SPDX-License-Identifier: GPL-3.0-or-later
//
// A chain of convolutions for inference. Training keeps every activation of a batch and packs its
// filters anew at every step; a program that only makes or judges faces wants neither. Here the
// filters are transformed and packed once, bias and activation are applied while a result is still
// in registers, channels stay side by side from one layer to the next, and each image passes
// through a small arena that is used again for the next one.
//
// One object serves any number of threads. A batch is divided image by image among the cores, a
// single image layer by layer; either way an image's bytes are the same.

#pragma once

#include "base/layer_time.h"
#include "base/precision.h"
#include "kernels/tiled_convolution.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace ffgan {

// One convolution, or transposed convolution, and what follows it.
struct feed_forward_layer {
    std::string name;
    layers::tiling how;
    std::vector<float> filters; // (shape.filters, shape.channels, kernel, kernel)
    std::vector<float> bias;    // per channel, or empty
    bool activate = false;      // x > 0 ? x : slope * x
    float slope = 0;
    // After the activation: x * scale + shift, per channel; or empty.
    std::vector<float> scale, shift;
};

class feed_forward {
  public:
    // Throws std::invalid_argument when a layer's input is not the previous one's output, and
    // instruction_set_error where the processor has no products of that precision.
    explicit feed_forward(std::vector<feed_forward_layer> layers,
                          precision products = precision::float32);
    ~feed_forward();

    // fill(image, pixels): writes the input of an image, channels side by side, rows without gaps.
    using fill = std::function<void(long image, float* pixels)>;
    // consume(image, output, begin, end): takes rows [begin, end) of the last layer's output.
    using consume =
        std::function<void(long image, const layers::image_view& output, long begin, long end)>;

    // Calls `fill` once and `consume` for all rows of each of `count` images, from several
    // threads.
    void run(long count, const fill& source, const consume& sink) const;

    // Milliseconds that each layer takes for one image on all cores, medians of `repetitions`
    // runs, and last what `source` and `sink` take.
    std::vector<layer_time> profile(const fill& source, const consume& sink,
                                    long repetitions) const;

    const std::vector<feed_forward_layer>& layers() const { return layers_; }

  private:
    class arena;
    class lease;
    struct stage;

    // Images that a stage works on: where they lie in the arena, and how many.
    struct slots {
        long in, out, count;
    };
    void run_stage(std::size_t index, arena& memory, const slots& images, long part,
                   long parts) const;
    // Several images on one core.
    void run_images(arena& memory, long first, long count, const fill& source,
                    const consume& sink) const;
    // One image on several cores; adds the time of each stage, and of the rest, to `times`.
    void run_shared(arena& memory, long image, long cores, const fill& source, const consume& sink,
                    std::vector<double>* times) const;

    std::vector<feed_forward_layer> layers_;
    std::vector<stage> stages_;
    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<arena>> arenas_; // those that no call uses now
};

} // namespace ffgan
