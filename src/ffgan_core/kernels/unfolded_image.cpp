// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/unfolded_image.h"

#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/float8.h"

#include <algorithm>

namespace ffgan::layers {
namespace {

template <int Stride>
void copy_strided(const float* source, long stride, long n, float* destination) {
    const long step = Stride > 0 ? Stride : stride;
    for (long x = 0; x < n; ++x)
        destination[x] = source[x * step];
}

template <bool Gather>
void exchange_map(const convolution_shape& s, const std::vector<segment>& block, long filters,
                  std::conditional_t<Gather, const float*, float*> map,
                  std::conditional_t<Gather, float*, const float*> matrix) {
    const long places = places_of(block, s.map_columns);
    for (long f = 0; f < filters; ++f) {
        auto* row = matrix + f * places;
        for (const segment& part : block) {
            const long n = (part.end - part.begin) * s.map_columns;
            auto* values =
                map + ((part.sample * s.filters + f) * s.map_rows + part.begin) * s.map_columns;
            if constexpr (Gather)
                std::copy_n(values, n, row);
            else
                std::copy_n(row, n, values);
            row += n;
        }
    }
}

} // namespace

std::vector<std::vector<segment>> map_blocks(const convolution_shape& s, long first, long last) {
    const long rows_per_block = std::max(1L, block_places / s.map_columns);
    const bool whole_samples = 2 * s.map_rows <= rows_per_block;
    std::vector<std::vector<segment>> blocks;
    long room = 0;
    for (long row = first; row < last;) {
        const long sample = row / s.map_rows;
        const long end_of_sample = std::min(last, (sample + 1) * s.map_rows);
        const long remaining = end_of_sample - row;
        if (room == 0 || !whole_samples) {
            blocks.emplace_back();
            // Equal blocks within a sample: a last block of a few rows would be slow.
            room = whole_samples ? rows_per_block
                                 : divided_up(remaining, divided_up(remaining, rows_per_block));
        }
        const long taken = std::min(room, remaining);
        const long begin = row - sample * s.map_rows;
        blocks.back().push_back({sample, begin, begin + taken});
        room -= taken;
        row += taken;
    }
    return blocks;
}

long places_of(const std::vector<segment>& block, long columns) {
    long rows = 0;
    for (const segment& part : block)
        rows += part.end - part.begin;
    return rows * columns;
}

std::vector<std::vector<segment>> image_blocks(const convolution_shape& s, long samples,
                                               long groups) {
    // Map rows at the border of two bands are multiplied for both: bands are tall enough to make
    // that a small part.
    const long shared_rows = (s.kernel - 1) / s.stride;
    const long places_per_block = std::max(2 * block_places, 8 * shared_rows * s.map_columns);
    const long places = s.map_rows * s.map_columns;
    std::vector<std::vector<segment>> blocks;
    long bands = divided_up(places, places_per_block);
    if (samples * bands * groups < 2 * threads())
        bands = std::max(bands, std::min(s.map_rows, divided_up(2 * threads(), samples * groups)));
    if (bands > 1) {
        for (long sample = 0; sample < samples; ++sample)
            for (long b = 0; b < bands; ++b)
                blocks.push_back({{sample, b * s.rows / bands, (b + 1) * s.rows / bands}});
        return blocks;
    }
    const long per_block = std::max(1L, block_places / places);
    for (long sample = 0; sample < samples; ++sample) {
        if (sample % per_block == 0)
            blocks.emplace_back();
        blocks.back().push_back({sample, 0, s.rows});
    }
    return blocks;
}

void unfold(const convolution_shape& s, const float* channel, long tap_row, long tap_column,
            long begin, long end, float* destination) {
    // Map columns [left, right) see the image, the others its padding.
    const long offset = tap_column - s.padding;
    const long left = std::min(s.map_columns, offset >= 0 ? 0 : divided_up(-offset, s.stride));
    const long right =
        std::max(left, std::min(s.map_columns,
                                s.columns > offset ? divided_up(s.columns - offset, s.stride) : 0));
    for (long y = begin; y < end; ++y, destination += s.map_columns) {
        const long row = y * s.stride + tap_row - s.padding;
        if (row < 0 || row >= s.rows) {
            std::fill_n(destination, s.map_columns, 0.0f);
            continue;
        }
        const float* source = channel + row * s.columns + left * s.stride + offset;
        std::fill_n(destination, left, 0.0f);
        if (s.stride == 1)
            std::copy_n(source, right - left, destination + left);
        else if (s.stride == 2)
            copy_strided<2>(source, 2, right - left, destination + left);
        else if (s.stride == 3)
            copy_strided<3>(source, 3, right - left, destination + left);
        else
            copy_strided<0>(source, s.stride, right - left, destination + left);
        std::fill_n(destination + right, s.map_columns - right, 0.0f);
    }
}

void fold(const convolution_shape& s, const float* taps_matrix, long matrix_stride,
          long first_map_row, long end_map_row, long begin, long end, float bias, bool add,
          float* channel) {
    // Pixel X of a row collects map column x through tap X + padding - stride * x. Pixels of equal
    // phase (X + padding) % stride are summed contiguously and interleaved at the end.
    static thread_local workspace phases_workspace;
    const long length = std::max(s.map_columns + (s.kernel - 1) / s.stride,
                                 (s.columns - 1 + s.padding) / s.stride + 1);
    float* phases = phases_workspace.get(count(length * s.stride));
    for (long row = begin; row < end; ++row) {
        std::fill_n(phases, length * s.stride, bias);
        for (long tap_row = 0; tap_row < s.kernel; ++tap_row) {
            const long distance = row + s.padding - tap_row;
            if (distance < 0 || distance % s.stride != 0)
                continue;
            const long y = distance / s.stride;
            if (y < first_map_row || y >= end_map_row)
                continue;
            for (long tap_column = 0; tap_column < s.kernel; ++tap_column) {
                const float* __restrict source = taps_matrix +
                                                 (tap_row * s.kernel + tap_column) * matrix_stride +
                                                 (y - first_map_row) * s.map_columns;
                float* __restrict sum =
                    phases + (tap_column % s.stride) * length + tap_column / s.stride;
                for (long x = 0; x < s.map_columns; ++x)
                    sum[x] += source[x];
            }
        }
        float* __restrict destination = channel + row * s.columns;
        const auto phase_of = [&](long column) {
            const long place = column + s.padding;
            return phases + (place % s.stride) * length + place / s.stride;
        };
        long done = 0;
        if (s.stride == 2) {
            const float* __restrict even = phase_of(0);
            const float* __restrict odd = phase_of(1);
            done = s.columns / 2 * 2;
            if (add)
                for (long j = 0; j < s.columns / 2; ++j) {
                    destination[2 * j] += even[j];
                    destination[2 * j + 1] += odd[j];
                }
            else
                for (long j = 0; j < s.columns / 2; ++j) {
                    destination[2 * j] = even[j];
                    destination[2 * j + 1] = odd[j];
                }
        }
        for (; done < s.columns; ++done)
            destination[done] = add ? destination[done] + *phase_of(done) : *phase_of(done);
    }
}

std::pair<long, long> touching_rows(const convolution_shape& s, long begin, long end) {
    const long lowest = begin + s.padding - (s.kernel - 1);
    const long first = lowest > 0 ? divided_up(lowest, s.stride) : 0;
    const long last = std::min(s.map_rows, (end - 1 + s.padding) / s.stride + 1);
    return {std::min(first, last), last};
}

void gather_map(const convolution_shape& s, const std::vector<segment>& block, long filters,
                const float* map, float* matrix) {
    exchange_map<true>(s, block, filters, map, matrix);
}

void scatter_map(const convolution_shape& s, const std::vector<segment>& block, long filters,
                 const float* matrix, float* map) {
    exchange_map<false>(s, block, filters, map, matrix);
}

} // namespace ffgan::layers
