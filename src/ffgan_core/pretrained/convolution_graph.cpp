// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/convolution_graph.h"

#include "base/sizes.h"
#include "base/threads.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace ffgan {
namespace {

using layers::convolution_shape;
using layers::packed_convolution;
using layers::tiling;

// Inputs that pass through the small layers together.
constexpr long group = 8;
// Floats of an image above which the inputs take turns: several of them would leave the L2 cache.
constexpr long large = 24 * 1024;

// Channel by channel: target = first, then f(source, target) for each place under the window, then
// target *= factor.
template <class F>
void pool(const layers::image_view& in, const layers::image_view& out, long side, long channels,
          long kernel, long stride, float first, float factor, F&& f) {
    for (long row = 0; row < side; ++row)
        for (long column = 0; column < side; ++column) {
            float* target = out.at(row, column);
            std::fill_n(target, channels, first);
            for (long r = 0; r < kernel; ++r)
                for (long c = 0; c < kernel; ++c) {
                    const float* source = in.at(row * stride + r, column * stride + c);
                    for (long k = 0; k < channels; ++k)
                        target[k] = f(source[k], target[k]);
                }
            for (long k = 0; k < channels; ++k)
                target[k] *= factor;
        }
}

// target = relu(target), or first target += branch.
void clip(float* target, long count) {
    for (long k = 0; k < count; ++k)
        target[k] = target[k] > 0 ? target[k] : 0.0f;
}
void add_channels(const float* branch, long count, float* target) {
    for (long k = 0; k < count; ++k)
        target[k] += branch[k];
}

void average(const layers::image_view& in, const layers::image_view& out, long side, long channels,
             long kernel, long stride) {
    pool(in, out, side, channels, kernel, stride, 0.0f, 1.0f / static_cast<float>(kernel * kernel),
         [](float x, float y) { return x + y; });
}

long after_pool(long side, long kernel, long stride) { return (side - kernel) / stride + 1; }

} // namespace

convolution_graph::image convolution_graph::add_image(long side, long channels) {
    images_.push_back({side, {0, 0, side, side, channels}});
    return images_.size() - 1;
}

convolution_graph::image
convolution_graph::add(std::vector<image> reads, image writes,
                       std::function<void(const std::vector<views>&, const views&)> run) {
    layers_.push_back({std::move(reads), writes, false,
                       [run = std::move(run)](const std::vector<views>& in, const views& out, long,
                                              long) { run(in, out); }});
    return writes;
}

convolution_graph::image convolution_graph::convolution(image in, long kernel, long stride,
                                                        long padding,
                                                        const std::vector<float>& filters,
                                                        const std::vector<float>& bias, bool relu) {
    const tiling how(convolution_shape::over_image(channels(in), side(in), side(in),
                                                   static_cast<long>(bias.size()), kernel, stride,
                                                   padding),
                     tiling::direction::correlate);
    images_[in].room.make_room(how);
    const auto packed = std::make_shared<const packed_convolution>(
        how, filters, bias, relu, 0.0f, std::vector<float>(), std::vector<float>());
    const image out = add_image(how.out_rows, how.out_channels);
    layers_.push_back({{in},
                       out,
                       true,
                       [packed](const std::vector<views>& from, const views& to, long part,
                                long parts) { packed->run(from[0], to, part, parts); }});
    return out;
}

convolution_graph::image convolution_graph::max_pool(image in, long kernel, long stride) {
    const long pooled = after_pool(side(in), kernel, stride), depth = channels(in);
    return add({in}, add_image(pooled, depth),
               [=](const std::vector<views>& from, const views& to) {
                   for (std::size_t i = 0; i < to.size(); ++i)
                       pool(from[0][i], to[i], pooled, depth, kernel, stride,
                            std::numeric_limits<float>::lowest(), 1.0f,
                            [](float x, float y) { return x > y ? x : y; });
               });
}

convolution_graph::image convolution_graph::average_pool(image in, long kernel, long stride) {
    const long pooled = after_pool(side(in), kernel, stride), depth = channels(in);
    return add({in}, add_image(pooled, depth),
               [=](const std::vector<views>& from, const views& to) {
                   for (std::size_t i = 0; i < to.size(); ++i)
                       average(from[0][i], to[i], pooled, depth, kernel, stride);
               });
}

convolution_graph::image convolution_graph::residual(image in, image branch) {
    const long rows = side(in), depth = channels(in);
    return add({branch}, in, [=](const std::vector<views>& from, const views& to) {
        for (std::size_t i = 0; i < to.size(); ++i)
            for (long row = 0; row < rows; ++row)
                for (long column = 0; column < rows; ++column) {
                    float* target = to[i].at(row, column);
                    add_channels(from[0][i].at(row, column), depth, target);
                    clip(target, depth);
                }
    });
}

convolution_graph::image convolution_graph::residual_down(image in, image branch) {
    const long pooled = after_pool(side(in), 2, 2), pooled_depth = channels(in);
    const long branch_rows = side(branch), branch_depth = channels(branch);
    const long rows = std::max(pooled, branch_rows), depth = std::max(pooled_depth, branch_depth);
    return add({in, branch}, add_image(rows, depth),
               [=](const std::vector<views>& from, const views& to) {
                   for (std::size_t i = 0; i < to.size(); ++i) {
                       for (long row = 0; row < rows; ++row)
                           std::fill_n(to[i].at(row, 0), rows * depth, 0.0f);
                       average(from[0][i], to[i], pooled, pooled_depth, 2, 2);
                       for (long row = 0; row < branch_rows; ++row)
                           for (long column = 0; column < branch_rows; ++column)
                               add_channels(from[1][i].at(row, column), branch_depth,
                                            to[i].at(row, column));
                       for (long row = 0; row < rows; ++row)
                           clip(to[i].at(row, 0), rows * depth);
                   }
               });
}

bool convolution_graph::is_large(image i) const { return images_[i].room.size() > large; }

// The layers before it, in whose images the inputs take turns.
std::size_t convolution_graph::first_shared_layer() const {
    std::size_t first = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const layer& l = layers_[i];
        if (is_large(l.writes) ||
            std::any_of(l.reads.begin(), l.reads.end(), [&](image read) { return is_large(read); }))
            first = i + 1;
    }
    return first;
}

convolution_graph::arena convolution_graph::allocate() const {
    arena memory;
    for (image i = 0; i < images_.size(); ++i)
        // Nothing writes around an image, so what is zero now stays so.
        memory.emplace_back(count((is_large(i) ? 1 : group) * images_[i].room.size()), 0.0f);
    return memory;
}

void convolution_graph::run(long count, const access& fill, const access& consume) const {
    if (count < threads()) // layer by layer
        run_images(0, count, threads(), fill, consume);
    else
        parallel_chunks(
            count, [&](long, long begin, long end) { run_images(begin, end, 1, fill, consume); });
}

void convolution_graph::run_images(long begin, long end, long cores, const access& fill,
                                   const access& consume) const {
    auto taken = arenas_.take();
    arena& memory = *taken;
    if (memory.empty())
        memory = allocate();
    const std::size_t shared = first_shared_layer();
    // The views of an image for inputs [first, last) of the group.
    const auto views_of = [&](image i, long first, long last) {
        views result;
        const layers::padded_image& room = images_[i].room;
        for (long input = first; input < last; ++input)
            result.push_back(room.view(memory[i].data() + (is_large(i) ? 0 : input * room.size())));
        return result;
    };
    const auto run_layer = [&](const layer& l, long first, long last) {
        std::vector<views> in;
        for (const image read : l.reads)
            in.push_back(views_of(read, first, last));
        const views out = views_of(l.writes, first, last);
        if (cores == 1 || !l.divisible)
            l.run(in, out, 0, 1);
        else
            parallel_chunks(cores, [&](long, long part, long end_part) {
                for (; part < end_part; ++part)
                    l.run(in, out, part, cores);
            });
    };
    for (; begin < end; begin += group) {
        const long inputs = std::min(group, end - begin);
        for (long i = 0; i < inputs; ++i) {
            fill(begin + i, views_of(0, i, i + 1)[0]);
            for (std::size_t l = 0; l < shared; ++l)
                run_layer(layers_[l], i, i + 1);
        }
        for (std::size_t l = shared; l < layers_.size(); ++l)
            run_layer(layers_[l], 0, inputs);
        for (long i = 0; i < inputs; ++i)
            consume(begin + i, views_of(layers_.back().writes, i, i + 1)[0]);
    }
    arenas_.give_back(std::move(taken));
}

} // namespace ffgan
