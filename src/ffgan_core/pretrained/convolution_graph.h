// SPDX-License-Identifier: GPL-3.0-or-later
//
// A network of convolutions, pools and residual sums for inference, as its author trained it. Its
// filters are packed once and images pass through several at a time, so that the filters of the
// late, small layers, by far the largest ones, are read once for all of them.

#pragma once

#include "base/network_pool.h"
#include "layers/packed_convolution.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace ffgan {

class convolution_graph {
  public:
    // An image between the layers, by its number.
    using image = std::size_t;

    // The input, side x side with so many channels, is image 0.
    convolution_graph(long side, long channels) { add_image(side, channels); }

    // Each adds a layer and returns its output. Images are square; what a window that steps over
    // the image does not reach is left out.

    // filters: (number, channels, kernel, kernel). bias: (number,).
    image convolution(image in, long kernel, long stride, long padding,
                      const std::vector<float>& filters, const std::vector<float>& bias, bool relu);
    image max_pool(image in, long kernel, long stride);
    image average_pool(image in, long kernel, long stride);
    // relu(in + branch), in place of `in`, whose shape the branch has.
    image residual(image in, image branch);
    // relu of the sum of the branch and of `in` averaged over 2x2, the smaller of them with zeros
    // behind its rows, columns and channels (dlib's add_prev).
    image residual_down(image in, image branch);

    long side(image i) const { return images_[i].side; }
    long channels(image i) const { return images_[i].room.channels; }

    // For inputs [0, count): fill(i, view) writes input i, consume(i, view) gets what the last
    // layer made of it, from several threads. Any number of threads may call it. What it makes of
    // an input depends on no other one, and on no number of threads.
    using access = std::function<void(long, const layers::image_view&)>;
    void run(long count, const access& fill, const access& consume) const;

  private:
    using view = layers::image_view;
    using views = std::vector<view>; // one for each input that is worked on
    struct facts {
        long side;
        layers::padded_image room;
    };
    // Part `part` of `parts` of a layer's work.
    using work =
        std::function<void(const std::vector<views>& in, const views& out, long part, long parts)>;
    struct layer {
        std::vector<image> reads;
        image writes;
        bool divisible; // else it is one part
        work run;
    };
    // The memory of each image.
    using arena = std::vector<std::vector<float>>;

    image add_image(long side, long channels);
    image add(std::vector<image> reads, image writes,
              std::function<void(const std::vector<views>& in, const views& out)> run);
    void run_images(long begin, long end, long cores, const access& fill,
                    const access& consume) const;
    bool is_large(image i) const;
    std::size_t first_shared_layer() const;
    arena allocate() const;

    std::vector<facts> images_;
    std::vector<layer> layers_;
    mutable network_pool<arena> arenas_;
};

} // namespace ffgan
