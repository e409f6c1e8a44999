// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/recognition_layers.h"

#include "base/sizes.h"
#include "kernels/channel_order.h"
#include "kernels/channel_passes.h"
#include "pretrained/face_embedding.h"

#include <algorithm>
#include <utility>

namespace ffgan {
namespace {

using layers::image_view;
using layers::padded_image;

constexpr long kernel = 7, stride = 2; // of the first convolution
constexpr long pool = 3;               // the side of the pool behind it, whose stride is 2
constexpr long units[] = {3, 4, 3, 3, 1};
constexpr std::size_t read_levels = 3;
constexpr long pooled_rows = 4; // computed at once
// Floats of a level's images at once, for the L2 cache.
constexpr long cached = 96 * 1024;

long reduced(long side, long window) { return (side - window) / 2 + 1; }

image_views some(const image_views& all, long first, long last) {
    return {all.begin() + first, all.begin() + last};
}

} // namespace

// Images between the layers. What lies around them is zero, and stays so.
struct recognition_layers::memory {
    struct images {
        padded_image room;
        long side = 0; // of what is written: networks for two sizes may want the same room
        std::vector<float> values;

        image_views views(const padded_image& wanted, long wanted_side, long count) {
            const long size = wanted.size();
            if (wanted_side != side || wanted.first_row != room.first_row ||
                wanted.first_column != room.first_column || wanted.rows != room.rows ||
                wanted.columns != room.columns || wanted.channels != room.channels ||
                static_cast<long>(values.size()) < count * size) {
                room = wanted;
                side = wanted_side;
                values.assign(ffgan::count(count * size), 0.0f);
            }
            image_views result;
            for (long i = 0; i < count; ++i)
                result.push_back(room.view(values.data() + i * size));
            return result;
        }
    };
    struct of_level {
        images x, middle, branch, middle_down, branch_down;

        // Between the convolutions of a unit.
        std::pair<image_views, image_views> between(const residual_unit& unit, long count) {
            const residual_unit::rooms& rooms = unit.between();
            const bool down = unit.goes_down();
            return {(down ? middle_down : middle).views(rooms.middle, rooms.middle_side, count),
                    (down ? branch_down : branch).views(rooms.branch, rooms.branch_side, count)};
        }
    };
    std::vector<of_level> levels;
    workspace pixels, patches, rows, pooled, means;
};

recognition_layers::memory& recognition_layers::own_memory() {
    static thread_local memory own;
    return own;
}

recognition_layers::~recognition_layers() = default;

recognition_layers::recognition_layers(const recognition_weights& weights, long side)
    : side_(side), first_side_(reduced(side, kernel)),
      patches_(kernel, stride, 0, side, first_side_) {
    const given_convolution& first = weights.convolutions.front();
    const long filters = static_cast<long>(first.bias.size());
    for (std::size_t c = 0; c < offsets_.size(); ++c)
        offsets_[c] = -weights.mean_rgb[c] * pixel_to_input;
    const std::vector<float> taps = patches_.in_this_order(first.filters);
    first_ = layers::pixel_filters(taps.data(), filters, patches_.taps(), patches_.taps(), 1);
    first_adjoint_ =
        layers::pixel_filters(taps.data(), patches_.taps(), filters, 1, patches_.taps());
    first_bias_ = first.bias;

    const long pooled = reduced(first_side_, pool);
    gates_ = pooled * pooled * filters;
    std::size_t next = 1;
    for (const long number : units)
        add_level(number, weights, next);
    const long outputs = face_embedding_size, inputs = levels_.back().room.channels;
    embed_ = layers::pixel_filters(weights.embedding.data(), outputs, inputs, 1, outputs);
    embed_adjoint_ = layers::pixel_filters(weights.embedding.data(), inputs, outputs, outputs, 1);
}

void recognition_layers::add_level(long units, const recognition_weights& weights,
                                   std::size_t& next) {
    const bool first = levels_.empty();
    long side = first ? reduced(first_side_, pool) : levels_.back().side;
    long channels = first ? static_cast<long>(first_bias_.size()) : levels_.back().room.channels;
    level made;
    for (long u = 0; u < units; ++u, next += 2) {
        const bool down = u == 0 && !first;
        made.units.push_back(std::make_unique<const residual_unit>(
            channels, side, weights.convolutions[next], weights.convolutions[next + 1], down));
        const residual_unit& unit = *made.units.back();
        if (down)
            unit.make_room_in(levels_.back().room);
        side = unit.side();
        channels = unit.channels();
        if (u == 0)
            made.room = {0, 0, side, side, channels};
        if (!down) {
            unit.make_room_in(made.room);
            unit.make_room_out(made.room);
        }
        gates_ += unit.gates();
    }
    made.side = side;
    levels_.push_back(std::move(made));
    if (levels_.size() <= read_levels)
        shapes_.push_back({channels, side});
    for (level& l : levels_)
        l.at_once = std::clamp(cached / l.room.size(), 1L, group);
}

// ---- The first convolution and the pool behind it -----------------------------------------------

void recognition_layers::first_layers(const float* image, const image_view& out,
                                      std::uint8_t* places, memory& own) const {
    const long filters = static_cast<long>(first_bias_.size()), row = first_side_ * filters;
    const long side = reduced(first_side_, pool);
    float* pixels = own.pixels.get(count(patches_.size()));
    patches_.take(image, 1.0f, offsets_, pixels);
    const long most = 2 * pooled_rows + 1;
    float* patches = own.patches.get(count(most * first_side_ * patches_.taps()));
    float* rows = own.rows.get(count(most * row));
    long made = 0; // rows of the convolution's output
    for (long first = 0; first < side; first += pooled_rows) {
        const long last = std::min(side, first + pooled_rows);
        // The last row of the pools before is the first one of these.
        if (made > 0)
            std::copy_n(rows + 2 * pooled_rows * row, row, rows);
        const long needed = 2 * last + 1;
        patches_.unfold(pixels, made, needed, patches);
        layers::multiply_pixels(first_, first_bias_.data(), false,
                                {(needed - made) * first_side_, patches, patches_.taps(),
                                 rows + (made - 2 * first) * row, filters});
        made = needed;
        for (long r = first; r < last; ++r) {
            const float* window[pool];
            for (long i = 0; i < pool; ++i)
                window[i] = rows + (2 * (r - first) + i) * row;
            layers::pool_largest(window, side, filters, out.at(r, 0), places + r * side * filters);
        }
    }
}

void recognition_layers::first_layers_adjoint(const image_view& of_out, const std::uint8_t* places,
                                              float* of_image, memory& own) const {
    const long filters = static_cast<long>(first_bias_.size()), row = first_side_ * filters;
    const long side = reduced(first_side_, pool), patch = first_adjoint_.outputs_written();
    float* pixels = own.pixels.get(count(patches_.size()));
    std::fill_n(pixels, patches_.size(), 0.0f);
    const long most = 2 * pooled_rows + 1;
    float* patches = own.patches.get(count(most * first_side_ * patch));
    float* rows = own.rows.get(count(most * row));
    std::fill_n(rows, row, 0.0f);
    for (long first = 0; first < side; first += pooled_rows) {
        const long last = std::min(side, first + pooled_rows);
        const long held = 2 * (last - first) + 1;
        std::fill_n(rows + row, (held - 1) * row, 0.0f);
        for (long r = first; r < last; ++r) {
            float* window[pool];
            for (long i = 0; i < pool; ++i)
                window[i] = rows + (2 * (r - first) + i) * row;
            layers::pool_largest_adjoint(of_out.at(r, 0), places + r * side * filters, side,
                                         filters, window);
        }
        // The next pools add to the last row.
        const long whole = last == side ? held : held - 1;
        layers::multiply_pixels(first_adjoint_, nullptr, false,
                                {whole * first_side_, rows, filters, patches, patch});
        patches_.fold(patches, patch, 2 * first, 2 * first + whole, pixels);
        std::copy_n(rows + (held - 1) * row, row, rows);
    }
    patches_.give(pixels, 1.0f, of_image);
}

// ---- All of them --------------------------------------------------------------------------------

void recognition_layers::forward(const float* images, long count,
                                 const std::vector<float*>& targets, float* embeddings,
                                 std::uint8_t* gates) const {
    memory& own = own_memory();
    own.levels.resize(levels_.size());
    image_views before;
    std::uint8_t* of_unit = gates;
    for (std::size_t l = 0; l < levels(embeddings != nullptr); ++l) {
        const level& here = levels_[l];
        memory::of_level& room = own.levels[l];
        const image_views x = room.x.views(here.room, here.side, count);
        if (l == 0) {
            const long places = here.side * here.side * here.room.channels;
            for (long i = 0; i < count; ++i)
                first_layers(images + i * image_channels * side_ * side_, x[ffgan::count(i)],
                             of_unit + i * places, own);
            of_unit += count * places;
        }
        for (const auto& unit : here.units) {
            const bool down = unit->goes_down();
            const auto [middle, branch] = room.between(*unit, here.at_once);
            for (long first = 0; first < count; first += here.at_once) {
                const long last = std::min(count, first + here.at_once);
                unit->forward(some(down ? before : x, first, last), some(x, first, last),
                              some(middle, 0, last - first), some(branch, 0, last - first),
                              of_unit + first * unit->gates());
            }
            of_unit += count * unit->gates();
        }
        if (l < read_levels && !targets.empty())
            for (long i = 0; i < count; ++i)
                for (long r = 0; r < here.side; ++r)
                    layers::channels_last_to_planes(
                        x[ffgan::count(i)].at(r, 0), here.room.channels, here.room.channels,
                        here.side, false, targets[l] + i * shapes_[l].size() + r * here.side,
                        here.side * here.side);
        before = x;
    }
    if (embeddings == nullptr)
        return;
    const long channels = embed_.depth(), side = levels_.back().side;
    float* means = own.means.get(ffgan::count(count * channels));
    std::fill_n(means, count * channels, 0.0f);
    for (long i = 0; i < count; ++i)
        for (long place = 0; place < side * side; ++place)
            layers::add_channels(before[ffgan::count(i)].at(place / side, place % side),
                                 1.0f / static_cast<float>(side * side), channels,
                                 means + i * channels);
    layers::multiply_pixels(embed_, nullptr, false,
                            {count, means, channels, embeddings, face_embedding_size});
}

void recognition_layers::backward(const std::vector<const float*>& gradients,
                                  const float* of_embeddings, long count, const std::uint8_t* gates,
                                  float* of_images) const {
    memory& own = own_memory();
    own.levels.resize(levels_.size());
    const std::size_t used = levels(of_embeddings != nullptr);
    std::vector<image_views> of_levels;
    const std::uint8_t* of_unit = gates;
    for (std::size_t l = 0; l < used; ++l) {
        of_levels.push_back(own.levels[l].x.views(levels_[l].room, levels_[l].side, count));
        if (l == 0)
            of_unit += count * levels_[0].side * levels_[0].side * levels_[0].room.channels;
        for (const auto& unit : levels_[l].units)
            of_unit += count * unit->gates();
    }
    const auto clear = [&](std::size_t l) {
        const level& here = levels_[l];
        for (const image_view& view : of_levels[l])
            for (long r = 0; r < here.side; ++r)
                std::fill_n(view.at(r, 0), here.side * here.room.channels, 0.0f);
    };
    if (of_embeddings != nullptr) {
        const long channels = embed_.depth(), side = levels_.back().side;
        float* of_means = own.means.get(ffgan::count(count * channels));
        layers::multiply_pixels(embed_adjoint_, nullptr, false,
                                {count, of_embeddings, face_embedding_size, of_means, channels});
        clear(used - 1);
        for (long i = 0; i < count; ++i)
            for (long place = 0; place < side * side; ++place)
                layers::add_channels(
                    of_means + i * channels, 1.0f / static_cast<float>(side * side), channels,
                    of_levels.back()[ffgan::count(i)].at(place / side, place % side));
    } else {
        clear(used - 1);
    }
    for (std::size_t l = used; l-- > 0;) {
        const level& here = levels_[l];
        memory::of_level& room = own.levels[l];
        const image_views& of_x = of_levels[l];
        const long channels = here.room.channels, row = here.side * channels;
        if (l < read_levels) {
            float* own_row = own.pooled.get(ffgan::count(row));
            for (long i = 0; i < count; ++i)
                for (long r = 0; r < here.side; ++r) {
                    layers::planes_to_channels_last(
                        gradients[l] + i * shapes_[l].size() + r * here.side, here.side * here.side,
                        channels, here.side, own_row, channels);
                    layers::add_channels(own_row, 1.0f, row, of_x[ffgan::count(i)].at(r, 0));
                }
        }
        for (auto unit = here.units.rbegin(); unit != here.units.rend(); ++unit) {
            const bool down = (*unit)->goes_down();
            const auto [middle, branch] = room.between(**unit, here.at_once);
            of_unit -= count * (*unit)->gates();
            for (long first = 0; first < count; first += here.at_once) {
                const long last = std::min(count, first + here.at_once);
                (*unit)->backward(some(of_x, first, last),
                                  some(down ? of_levels[l - 1] : of_x, first, last),
                                  some(middle, 0, last - first), some(branch, 0, last - first),
                                  of_unit + first * (*unit)->gates());
            }
        }
    }
    const long places = levels_[0].side * levels_[0].side * levels_[0].room.channels;
    for (long i = 0; i < count; ++i)
        first_layers_adjoint(of_levels[0][ffgan::count(i)], gates + i * places,
                             of_images + i * image_channels * side_ * side_, own);
}

} // namespace ffgan
