// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/convolution_kernels.h"

#include "base/blas.h"
#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/float8.h"
#include "kernels/norm_channels_last.h"
#include "kernels/packed_product.h"
#include "kernels/tiled_convolution.h"
#include "kernels/unfolded_image.h"
#include "plans/pixel_squares.h"

#include <algorithm>
#include <vector>

namespace ffgan::layers {
namespace {

// Floats of an unfolded block in filter_gradient, for the L2 cache.
constexpr long unfolded_floats = 96 * 1024;

// The outputs fill whole panels then. With fewer the unfolded image below is faster.
bool fills_panels(long channels) { return channels >= 16; }

// correlate for one block of places and the filters of panels [first_panel, last_panel).
void correlate_block(const convolution_shape& s, const std::vector<segment>& block,
                     const float* image, const float* packed_filters, const float* bias, bool add,
                     long first_panel, long last_panel, float* map) {
    static thread_local workspace row_workspace, right_workspace, result_workspace;
    const long taps = s.kernel * s.kernel;
    const long depth = s.channels * taps;
    const long n = places_of(block, s.map_columns);
    const long places = s.map_rows * s.map_columns;
    const long first_filter = first_panel * packed::panel_rows;
    const long filters = std::min(s.filters, last_panel * packed::panel_rows) - first_filter;
    float* first_map = map + first_filter * places;

    // The product goes straight into the map, or through a matrix when several samples share it.
    const bool direct = block.size() == 1;
    float* result = nullptr;
    long result_stride = places;
    if (direct) {
        result = first_map + block[0].sample * s.filters * places + block[0].begin * s.map_columns;
    } else {
        result = result_workspace.get(count(filters * n));
        result_stride = n;
        if (add)
            gather_map(s, block, filters, first_map, result);
    }
    if (bias != nullptr) {
        for (long f = 0; f < filters; ++f) {
            float* row = result + f * result_stride;
            const float value = bias[first_filter + f];
            for (long j = 0; j < n; ++j)
                row[j] = add ? row[j] + value : value;
        }
    }

    float* unfolded = row_workspace.get(count(n));
    float* right =
        right_workspace.get(count(packed::right_size(std::min(depth, packed::block_depth), n)));
    const long padded_filters = divided_up(s.filters, packed::panel_rows) * packed::panel_rows;
    for (long p = 0; p < depth; p += packed::block_depth) {
        const long rows = std::min(packed::block_depth, depth - p);
        for (long r = 0; r < rows; ++r) {
            const long channel = (p + r) / taps;
            const long tap = (p + r) % taps;
            float* destination = unfolded;
            for (const segment& part : block) {
                unfold(s, image + (part.sample * s.channels + channel) * s.rows * s.columns,
                       tap / s.kernel, tap % s.kernel, part.begin, part.end, destination);
                destination += (part.end - part.begin) * s.map_columns;
            }
            packed::pack_right_row(unfolded, n, r, rows, right);
        }
        packed::multiply_block(s.filters, n, rows, first_panel, last_panel,
                               packed_filters + padded_filters * p, right,
                               add || bias != nullptr || p > 0, result, result_stride);
    }
    if (!direct)
        scatter_map(s, block, filters, result, first_map);
}

// Channels whose taps fill whole panels, so that no product is spent on padding.
long channels_per_group(long taps) {
    constexpr long enough_rows = 32;
    long channels = 1;
    while (channels * taps % packed::panel_rows != 0 || channels * taps < enough_rows)
        ++channels;
    return channels;
}

void correlate_unfolded(const convolution_shape& s, long samples, const float* image,
                        const float* filters, const float* bias, bool add, float* map) {
    static thread_local workspace filters_workspace;
    const long depth = s.channels * s.kernel * s.kernel;
    const long panels = divided_up(s.filters, packed::panel_rows);
    float* packed_filters = filters_workspace.get(count(packed::left_size(s.filters, depth)));
    parallel_chunks(panels, [&](long, long begin, long end) {
        packed::pack_left(filters, depth, 1, s.filters, depth, 1, begin, end, packed_filters);
    });

    const long rows = samples * s.map_rows;
    // With few places the threads share the filters instead: panels of places would be half empty.
    if (rows * s.map_columns <= block_places / 2 && panels >= threads()) {
        const auto blocks = map_blocks(s, 0, rows);
        parallel_chunks(panels, [&](long, long begin, long end) {
            for (const auto& block : blocks)
                correlate_block(s, block, image, packed_filters, bias, add, begin, end, map);
        });
        return;
    }
    parallel_chunks(rows, [&](long, long begin, long end) {
        for (const auto& block : map_blocks(s, begin, end))
            correlate_block(s, block, image, packed_filters, bias, add, 0, panels, map);
    });
}

void spread_unfolded(const convolution_shape& s, long samples, const float* map,
                     const float* filters, const float* bias, bool add, float* image) {
    static thread_local workspace filters_workspace;
    const long taps = s.kernel * s.kernel;
    const long depth = s.filters;
    const long group_channels = channels_per_group(taps);
    const long groups = divided_up(s.channels, group_channels);
    const long group_rows = group_channels * taps;
    const long group_panels = group_rows / packed::panel_rows;
    const long group_size = packed::left_size(group_rows, depth);
    float* packed_filters = filters_workspace.get(count(groups * group_size));
    parallel_chunks(groups, [&](long, long begin, long end) {
        for (long g = begin; g < end; ++g) {
            const long rows = std::min(group_rows, s.channels * taps - g * group_rows);
            packed::pack_left(filters + g * group_rows, 1, s.channels * taps, rows, depth, 1, 0,
                              divided_up(rows, packed::panel_rows),
                              packed_filters + g * group_size);
        }
    });

    const auto blocks = image_blocks(s, samples, groups);
    const long places = s.map_rows * s.map_columns;
    const auto spread_groups = [&](const std::vector<segment>& block, long first, long last) {
        static thread_local workspace right_workspace, result_workspace, row_workspace;
        std::vector<segment> map_rows;
        for (const segment& part : block) {
            const auto touching = touching_rows(s, part.begin, part.end);
            map_rows.push_back({part.sample, touching.first, touching.second});
        }
        const long n = places_of(map_rows, s.map_columns);
        const long padded_n = divided_up(n, packed::panel_columns) * packed::panel_columns;
        float* right = right_workspace.get(count(packed::right_size(depth, n)));
        float* row = row_workspace.get(count(n));
        for (long f = 0; f < depth; ++f) {
            float* destination = row;
            for (const segment& part : map_rows) {
                destination = std::copy(
                    map + (part.sample * s.filters + f) * places + part.begin * s.map_columns,
                    map + (part.sample * s.filters + f) * places + part.end * s.map_columns,
                    destination);
            }
            const long p = f / packed::block_depth * packed::block_depth;
            packed::pack_right_row(row, n, f - p, std::min(packed::block_depth, depth - p),
                                   right + padded_n * p);
        }
        float* result = result_workspace.get(count(group_rows * n));
        for (long g = first; g < last; ++g) {
            const long channels = std::min(group_channels, s.channels - g * group_channels);
            const long rows = channels * taps;
            // A short last group is packed with the padding of its own number of rows.
            const long padded_rows = divided_up(rows, packed::panel_rows) * packed::panel_rows;
            for (long p = 0; p < depth; p += packed::block_depth)
                packed::multiply_block(rows, n, std::min(packed::block_depth, depth - p), 0,
                                       std::min(group_panels, divided_up(rows, packed::panel_rows)),
                                       packed_filters + g * group_size + padded_rows * p,
                                       right + padded_n * p, p > 0, result, n);
            long offset = 0;
            for (std::size_t i = 0; i < block.size(); ++i) {
                for (long c = 0; c < channels; ++c) {
                    const long channel = g * group_channels + c;
                    fold(s, result + c * taps * n + offset, n, map_rows[i].begin, map_rows[i].end,
                         block[i].begin, block[i].end, bias != nullptr ? bias[channel] : 0.0f, add,
                         image + (block[i].sample * s.channels + channel) * s.rows * s.columns);
                }
                offset += (map_rows[i].end - map_rows[i].begin) * s.map_columns;
            }
        }
    };
    parallel_chunks(static_cast<long>(blocks.size()) * groups, [&](long, long begin, long end) {
        while (begin < end) {
            const long block = begin / groups;
            const long stop = std::min(end, (block + 1) * groups);
            spread_groups(blocks[count(block)], begin - block * groups, stop - block * groups);
            begin = stop;
        }
    });
}

// filter_gradient over the given blocks for channels [first, last): writes columns
// [first * taps, last * taps) of `gradient`, whose row stride is channels * taps.
void filter_gradient_channels(const convolution_shape& s,
                              const std::vector<std::vector<segment>>& blocks, const float* image,
                              const float* map, long first, long last, float* gradient) {
    static thread_local workspace unfolded_workspace, map_workspace;
    const long taps = s.kernel * s.kernel;
    const long places = s.map_rows * s.map_columns;
    const long gradient_stride = s.channels * taps;
    long largest = 1;
    for (const auto& block : blocks)
        largest = std::max(largest, places_of(block, s.map_columns));
    const long most_channels = std::max(1L, unfolded_floats / (largest * taps));
    const long parts = divided_up(last - first, most_channels);
    float* unfolded =
        unfolded_workspace.get(count(std::min(most_channels, last - first) * taps * largest));
    for (long part = 0; part < parts; ++part) {
        const long begin = first + part * (last - first) / parts;
        const long end = first + (part + 1) * (last - first) / parts;
        bool add = false;
        for (const auto& block : blocks) {
            const long n = places_of(block, s.map_columns);
            float* row = unfolded;
            for (long channel = begin; channel < end; ++channel)
                for (long tap = 0; tap < taps; ++tap)
                    for (const segment& piece : block) {
                        unfold(s,
                               image + (piece.sample * s.channels + channel) * s.rows * s.columns,
                               tap / s.kernel, tap % s.kernel, piece.begin, piece.end, row);
                        row += (piece.end - piece.begin) * s.map_columns;
                    }
            const float* values = nullptr;
            long values_stride = places;
            if (block.size() == 1) {
                values =
                    map + block[0].sample * s.filters * places + block[0].begin * s.map_columns;
            } else {
                float* gathered = map_workspace.get(count(s.filters * n));
                gather_map(s, block, s.filters, map, gathered);
                values = gathered;
                values_stride = n;
            }
            sgemm(false, true, s.filters, (end - begin) * taps, n, 1, values, values_stride,
                  unfolded, n, add ? 1.0f : 0.0f, gradient + begin * taps, gradient_stride);
            add = true;
        }
    }
}

void filter_gradient_unfolded(const convolution_shape& s, long samples, const float* image,
                              const float* map, float* gradient) {
    const long rows = samples * s.map_rows;
    if (s.channels >= 4 * threads()) {
        const auto blocks = map_blocks(s, 0, rows);
        parallel_chunks(s.channels, [&](long, long begin, long end) {
            filter_gradient_channels(s, blocks, image, map, begin, end, gradient);
        });
        return;
    }
    // Too few channels to share: each thread sums over its part of the places.
    static thread_local workspace partial_workspace;
    const long size = s.filters * s.channels * s.kernel * s.kernel;
    const long chunks = std::min(rows, threads());
    float* partial = partial_workspace.get(count(chunks * size));
    parallel_chunks(chunks, [&](long, long first, long last) {
        for (long chunk = first; chunk < last; ++chunk)
            filter_gradient_channels(
                s, map_blocks(s, chunk * rows / chunks, (chunk + 1) * rows / chunks), image, map, 0,
                s.channels, partial + chunk * size);
    });
    std::copy_n(partial, size, gradient);
    for (long chunk = 1; chunk < chunks; ++chunk)
        for (long i = 0; i < size; ++i)
            gradient[i] += partial[chunk * size + i];
}

// Values in dlib's order, which is what an image is unfolded from.
class in_planes {
  public:
    in_planes(const norm_shape& shape, const layer_values& from) : planes_(from.values) {
        if (!from.channels_last)
            return;
        float* planes = memory_.get(count(shape.samples * shape.channels * shape.places));
        to_planes(shape, from, planes);
        planes_ = planes;
    }
    const float* planes() const { return planes_; }

  private:
    workspace memory_;
    const float* planes_;
};

template <class F> void into_planes(const norm_shape& shape, const layer_target& to, const F& f) {
    if (!to.channels_last) {
        f(to.values);
        return;
    }
    workspace memory;
    float* planes = memory.get(count(shape.samples * shape.channels * shape.places));
    f(planes);
    from_planes(shape, planes, to.values);
}

norm_shape image_of(const convolution_shape& s, long samples) {
    return {samples, s.channels, s.rows * s.columns};
}

norm_shape map_of(const convolution_shape& s, long samples) {
    return {samples, s.filters, s.map_rows * s.map_columns};
}

} // namespace

void correlate(const convolution_shape& s, long samples, const layer_values& image,
               const float* filters, const float* bias, const layer_target& map) {
    if (fills_panels(s.filters)) {
        convolve(tiling(s, tiling::direction::correlate, largest_tile_in_training), samples, image,
                 filters, bias, map);
        return;
    }
    const in_planes from(image_of(s, samples), image);
    into_planes(map_of(s, samples), map, [&](float* planes) {
        correlate_unfolded(s, samples, from.planes(), filters, bias, map.add, planes);
    });
}

void spread(const convolution_shape& s, long samples, const layer_values& map, const float* filters,
            const float* bias, const layer_target& image) {
    if (fills_panels(s.filters) && fills_panels(s.channels)) {
        convolve(tiling(s, tiling::direction::spread, largest_tile_in_training), samples, map,
                 filters, bias, image);
        return;
    }
    if (has_pixel_squares(s)) {
        std::vector<float> biases;
        if (bias != nullptr)
            biases = bias_of_squares(s, bias);
        convolve(
            tiling(shape_of_squares(s), tiling::direction::correlate, largest_tile_in_training),
            samples, map, filters_of_squares(s, filters).data(),
            bias != nullptr ? biases.data() : nullptr, {image.values, false, image.add}, &s);
        return;
    }
    const in_planes from(map_of(s, samples), map);
    into_planes(image_of(s, samples), image, [&](float* planes) {
        spread_unfolded(s, samples, from.planes(), filters, bias, image.add, planes);
    });
}

void filter_gradient(const convolution_shape& s, long samples, const layer_values& image,
                     const layer_values& map, float* gradient) {
    if (fills_panels(s.filters)) {
        tiled_filter_gradient(s, samples, image, map, gradient);
        return;
    }
    const in_planes fine(image_of(s, samples), image), coarse(map_of(s, samples), map);
    filter_gradient_unfolded(s, samples, fine.planes(), coarse.planes(), gradient);
}

void bias_gradient(long samples, long channels, long places, const float* values, float* gradient) {
    parallel_chunks(channels, [&](long, long begin, long end) {
        for (long channel = begin; channel < end; ++channel) {
            double total = 0;
            for (long sample = 0; sample < samples; ++sample) {
                const float* p = values + (sample * channels + channel) * places;
                float8 sum = {};
                long i = 0;
                for (; i + 8 <= places; i += 8)
                    sum += load8(p + i);
                for (; i < places; ++i)
                    total += p[i];
                total += sum8(sum);
            }
            gradient[channel] = static_cast<float>(total);
        }
    });
}

} // namespace ffgan::layers
