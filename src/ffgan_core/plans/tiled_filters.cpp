// SPDX-License-Identifier: GPL-3.0-or-later
#include "plans/tiled_filters.h"

#include "base/sizes.h"

#include <algorithm>

namespace ffgan::layers {

tiled_filters::tiled_filters(const tiling& how) : how_(how) {
    const long per_unit =
        how.minimal_filtering
            ? how.positions() * static_cast<long>(how.in_planes[0].size()) * block_tiles
            : how.window * how.in_channels * block_tiles;
    const long units = how.minimal_filtering ? how.in_channels : how.window;
    const long least = how.minimal_filtering ? 16 : 1;
    const long most = std::max(least, block_floats / per_unit);
    chunk_size_ = divided_up(units, divided_up(units, most));
    if (how.minimal_filtering)
        chunk_size_ = rounded_up(chunk_size_, depth_block);
    chunks_ = divided_up(units, chunk_size_);
    panels_ = divided_up(how.out_channels, panel_columns);
    long depth_of_all = 0;
    for (long c = 0; c < chunks_; ++c)
        depth_of_all += depth(c);
    size_ = static_cast<long>(how.out_planes.size()) * panels_ * how.positions() * depth_of_all *
            panel_columns;
}

long tiled_filters::chunk_end(long chunk) const {
    return std::min(chunk_begin(chunk + 1),
                    how_.minimal_filtering ? how_.in_channels : how_.window);
}

long tiled_filters::depth(long chunk) const {
    const long units = chunk_end(chunk) - chunk_begin(chunk);
    return how_.minimal_filtering
               ? rounded_up(units, depth_block) * static_cast<long>(how_.in_planes[0].size())
               : rounded_up(units * how_.window * how_.in_channels, depth_block);
}

long tiled_filters::panel_begin(long plane, long chunk, long position, long panel) const {
    // All chunks but the last one have the same depth.
    const long unit = panels_ * how_.positions() * panel_columns;
    const long planes = static_cast<long>(how_.out_planes.size());
    return chunk * planes * unit * depth(0) +
           ((plane * how_.positions() + position) * panels_ + panel) * panel_columns * depth(chunk);
}

} // namespace ffgan::layers
