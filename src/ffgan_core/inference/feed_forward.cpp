// SPDX-License-Identifier: GPL-3.0-or-later
#include "inference/feed_forward.h"

#include "base/threads.h"
#include "base/workspace.h"
#include "layers/packed_convolution.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace ffgan {
namespace {

using layers::image_view;
using layers::packed_convolution;
using layers::padded_image;
using layers::tiling;

// Images that pass through the layers with small maps together, so that these layers' filters, by
// far the largest, are read once for all of them.
constexpr long group_images = 8;
constexpr long small_map = 32 * 1024; // floats
// A call gives others a chance to run after this many images per core.
constexpr long images_per_turn = 8;

std::size_t count_of(long n) { return static_cast<std::size_t>(n); }

double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

} // namespace

struct feed_forward::stage {
    stage(const feed_forward_layer& layer, precision products)
        : convolution(layer.how, layer.filters, layer.bias, layer.activate, layer.slope,
                      layer.scale, layer.shift, products) {
        input.make_room(layer.how);
    }

    packed_convolution convolution;
    padded_image input;
    bool grouped = false; // several images at a time
};

// The images between the layers, of a group of images in the layers with small maps.
class feed_forward::arena {
  public:
    arena(const std::vector<stage>& stages) {
        for (const stage& s : stages)
            images_.push_back(s.input);
        const tiling& last = stages.back().convolution.how();
        padded_image output;
        output.rows = last.out_rows;
        output.columns = last.out_columns;
        output.channels = stages.back().convolution.channels_written();
        images_.push_back(output);
        memory_.resize(images_.size());
        for (std::size_t i = 0; i < images_.size(); ++i) {
            // A stage that takes a group writes a group, also where the next one reads it one by
            // one.
            const bool several = i == 0 ? stages[0].grouped : stages[i - 1].grouped;
            const long size = (several ? group_images : 1) * images_[i].size();
            // Nothing writes around an image, so what is zero now stays so.
            std::fill_n(memory_[i].get(count_of(size)), size, 0.0f);
        }
    }

    // Input of layer `index`, or the output of the last one.
    image_view view(std::size_t index, long image) {
        return images_[index].view(memory_[index].get(0) + image * images_[index].size());
    }

  private:
    std::vector<padded_image> images_;
    std::vector<workspace> memory_;
};

// An arena for the time of a call.
class feed_forward::lease {
  public:
    explicit lease(const feed_forward& owner) : owner_(owner) {
        {
            const std::lock_guard<std::mutex> lock(owner.mutex_);
            if (!owner.arenas_.empty()) {
                arena_ = std::move(owner.arenas_.back());
                owner.arenas_.pop_back();
            }
        }
        if (!arena_)
            arena_ = std::make_unique<arena>(owner.stages_);
    }
    ~lease() {
        const std::lock_guard<std::mutex> lock(owner_.mutex_);
        if (static_cast<long>(owner_.arenas_.size()) < threads())
            owner_.arenas_.push_back(std::move(arena_));
    }
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    arena& operator*() { return *arena_; }

  private:
    const feed_forward& owner_;
    std::unique_ptr<arena> arena_;
};

feed_forward::feed_forward(std::vector<feed_forward_layer> given, precision products)
    : layers_(std::move(given)) {
    if (layers_.empty())
        throw std::invalid_argument("a network needs at least one layer");
    for (std::size_t i = 1; i < layers_.size(); ++i) {
        const tiling& before = layers_[i - 1].how;
        const tiling& after = layers_[i].how;
        if (before.out_channels != after.in_channels || before.out_rows != after.in_rows ||
            before.out_columns != after.in_columns)
            throw std::invalid_argument(layers_[i].name + " does not fit what " +
                                        layers_[i - 1].name + " gives");
    }
    stages_.reserve(layers_.size());
    for (const feed_forward_layer& layer : layers_) {
        stages_.emplace_back(layer, products);
        const tiling& how = layer.how;
        const bool before = stages_.size() == 1 || stages_[stages_.size() - 2].grouped;
        stages_.back().grouped =
            before && how.in_channels * how.in_rows * how.in_columns <= small_map;
    }
    const padded_image& input = stages_[0].input;
    if (input.rows != layers_[0].how.in_rows || input.columns != layers_[0].how.in_columns)
        throw std::invalid_argument("the first layer must not need padding");
    for (feed_forward_layer& layer : layers_)
        layer.filters = {}; // packed now
}

feed_forward::~feed_forward() = default;

void feed_forward::run_stage(std::size_t index, arena& memory, const slots& images, long part,
                             long parts) const {
    std::vector<image_view> in, out;
    for (long image = 0; image < images.count; ++image) {
        in.push_back(memory.view(index, images.in + image));
        out.push_back(memory.view(index + 1, images.out + image));
    }
    stages_[index].convolution.run(in, out, part, parts);
}

void feed_forward::run_images(arena& memory, long first, long count, const fill& source,
                              const consume& sink) const {
    const std::size_t last = stages_.size();
    for (long done = 0; done < count; done += group_images) {
        const long group = std::min(group_images, count - done);
        std::size_t grouped = 0;
        if (stages_[0].grouped)
            for (long image = 0; image < group; ++image)
                source(first + done + image, memory.view(0, image).origin);
        for (; grouped < last && stages_[grouped].grouped; ++grouped)
            run_stage(grouped, memory, {0, 0, group}, 0, 1);
        for (long image = 0; image < group; ++image) {
            if (grouped == 0)
                source(first + done + image, memory.view(0, 0).origin);
            for (std::size_t index = grouped; index < last; ++index)
                run_stage(index, memory, {index == grouped && index > 0 ? image : 0, 0, 1}, 0, 1);
            sink(first + done + image, memory.view(last, grouped == last ? image : 0), 0,
                 stages_.back().convolution.how().out_rows);
        }
    }
}

void feed_forward::run_shared(arena& memory, long image, long cores, const fill& source,
                              const consume& sink, std::vector<double>* times) const {
    auto start = std::chrono::steady_clock::now();
    double rest = 0;
    source(image, memory.view(0, 0).origin);
    if (times)
        rest = milliseconds_since(start);
    for (std::size_t index = 0; index < stages_.size(); ++index) {
        start = std::chrono::steady_clock::now();
        parallel_chunks(cores, [&](long, long begin, long end) {
            for (long part = begin; part < end; ++part)
                run_stage(index, memory, {0, 0, 1}, part, cores);
        });
        if (times)
            times->push_back(milliseconds_since(start));
    }
    start = std::chrono::steady_clock::now();
    const long rows = stages_.back().convolution.how().out_rows;
    const image_view output = memory.view(stages_.size(), 0);
    // A few rows are not worth waking a thread for.
    if (rows < 8 * cores)
        sink(image, output, 0, rows);
    else
        parallel_chunks(cores, [&](long, long begin, long end) {
            sink(image, output, begin * rows / cores, end * rows / cores);
        });
    if (times)
        times->push_back(rest + milliseconds_since(start));
}

void feed_forward::run(long count, const fill& source, const consume& sink) const {
    for (long done = 0; done < count;) {
        // Calls from several threads divide the cores among themselves, in turns.
        const core_share cores;
        const long parts = cores.count();
        const long remaining = count - done;
        if (parts > 1 && remaining < parts) {
            lease memory(*this);
            run_shared(*memory, done, parts, source, sink, nullptr);
            ++done;
            continue;
        }
        const long each = std::min(images_per_turn, remaining / parts);
        parallel_chunks(parts, [&](long, long begin, long end) {
            lease memory(*this);
            for (long part = begin; part < end; ++part)
                run_images(*memory, done + part * each, each, source, sink);
        });
        done += parts * each;
    }
}

std::vector<layer_time> feed_forward::profile(const fill& source, const consume& sink,
                                              long repetitions) const {
    std::vector<std::vector<double>> all(stages_.size() + 1);
    for (long i = 0; i < std::max(1L, repetitions); ++i) {
        const core_share cores;
        lease memory(*this);
        std::vector<double> times;
        run_shared(*memory, 0, cores.count(), source, sink, &times);
        for (std::size_t k = 0; k < times.size(); ++k)
            all[k].push_back(times[k]);
    }
    std::vector<layer_time> medians;
    for (std::size_t k = 0; k < all.size(); ++k)
        medians.push_back(
            {k < layers_.size() ? layers_[k].name : "input and output", median(all[k])});
    return medians;
}

} // namespace ffgan
