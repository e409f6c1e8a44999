// SPDX-License-Identifier: GPL-3.0-or-later
#include "layers/packed_convolution.h"

#include "base/sizes.h"
#include "dispatch/bf16.h"

#include <algorithm>
#include <stdexcept>

namespace ffgan::layers {
namespace {

std::vector<float> padded(const std::vector<float>& values, long size) {
    std::vector<float> result(values);
    if (!result.empty())
        result.resize(count(size), 0.0f);
    return result;
}

const float* data_or_null(const std::vector<float>& values) {
    return values.empty() ? nullptr : values.data();
}

} // namespace

void padded_image::make_room(const tiling& how) {
    const long last_row = std::max(
        {first_row + rows, how.in_rows, how.first_row(how.tile_rows - 1) + how.rows_read()});
    const long last_column =
        std::max({first_column + columns, how.in_columns, how.first_column() + how.columns_read()});
    first_row = std::min(first_row, how.first_row(0));
    first_column = std::min(first_column, how.first_column());
    rows = last_row - first_row;
    columns = last_column - first_column;
    channels = how.in_channels;
}

packed_convolution::packed_convolution(const tiling& how, const std::vector<float>& filters,
                                       const std::vector<float>& bias, bool activate, float slope,
                                       const std::vector<float>& scale,
                                       const std::vector<float>& shift, precision products)
    : filters_(how), products_(products) {
    if (activate && !(slope >= 0 && slope <= 1))
        throw std::invalid_argument("a slope of the activation is not in [0, 1]");
    if (products == precision::float32)
        pack_filters(filters_, filters.data(), packed_.get(count(filters_.size())));
    else
        pack_filters_in_bf16(filters_, filters.data(), packed_.get(count(filters_.size() / 2)));
    bias_ = padded(bias, channels_written());
    scale_ = padded(scale, channels_written());
    shift_ = padded(shift, channels_written());
    end_.bias = data_or_null(bias_);
    end_.activate = activate;
    end_.slope = slope;
    end_.scale = data_or_null(scale_);
    end_.shift = data_or_null(shift_);
}

long packed_convolution::channels_written() const { return filters_.panels() * panel_columns; }

void packed_convolution::run(const std::vector<image_view>& in, const std::vector<image_view>& out,
                             long part, long parts) const {
    const tiling& how = filters_.how();
    const long outputs = static_cast<long>(how.out_planes.size()) * filters_.panels();
    const long strips = static_cast<long>(in.size()) * how.tile_rows;
    // The parts share the rows of tiles or the outputs, whichever leaves them less unequal. Parts
    // that share a phase of the output both have to transform its input.
    const auto largest = [&](long n) {
        return static_cast<double>(divided_up(n, parts) * parts) / static_cast<double>(n);
    };
    const bool whole_planes = static_cast<long>(how.out_planes.size()) % parts == 0;
    const bool by_strips = largest(strips) <= largest(outputs) * (whole_planes ? 1.0 : 1.15);
    const long first_strip = by_strips ? part * strips / parts : 0;
    const long last_strip = by_strips ? (part + 1) * strips / parts : strips;
    const long first_output = by_strips ? 0 : part * outputs / parts;
    const long last_output = by_strips ? outputs : (part + 1) * outputs / parts;

    // Blocks of equal size: a last one of a few tiles would be slow.
    const long per_block = std::max(1L, (block_tiles + how.tile_columns / 2) / how.tile_columns);
    const long blocks = divided_up(last_strip - first_strip, per_block);
    std::vector<strip> block;
    std::vector<float*> origins;
    for (long b = 0; b < blocks; ++b) {
        block.clear();
        origins.clear();
        const long end = first_strip + (b + 1) * (last_strip - first_strip) / blocks;
        for (long i = first_strip + b * (last_strip - first_strip) / blocks; i < end; ++i) {
            const std::size_t image = count(i / how.tile_rows);
            block.push_back({in[image], out[image], i % how.tile_rows});
            origins.push_back(block.back().in.origin);
        }
        const auto load = [&](long chunk) {
            if (how.minimal_filtering)
                for (std::size_t i = 0; i < block.size(); ++i)
                    block[i].in.origin = origins[i] + filters_.chunk_begin(chunk);
        };
        if (products_ == precision::float32)
            run_strips(filters_, packed_.data(), block, first_output, last_output, end_, load);
        else
            run_strips_in_bf16(filters_, packed_.data(), block, first_output, last_output, end_,
                               load);
    }
}

} // namespace ffgan::layers
