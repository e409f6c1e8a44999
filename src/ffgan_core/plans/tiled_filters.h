// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the filters of a tiling lie in memory. Filters are packed once and live as long as a model.
// The order is that in which they are read: position by position, all panels of each.

#pragma once

#include "plans/tiling.h"

namespace ffgan::layers {

// Channels that are computed together.
constexpr long panel_columns = 16;
// Tiles multiplied together: enough that streaming the filters past them costs little.
constexpr long block_tiles = 48;
// The depth is worked on in blocks of this many channels, a cache line.
constexpr long depth_block = 16;
// Floats of the transformed input of a block of tiles: beyond it the depth is cut into chunks,
// whose sums go on where those of the chunk before ended.
constexpr long block_floats = 4 * 1024 * 1024;

// Filters in the form in which a tiling multiplies them.
class tiled_filters {
  public:
    explicit tiled_filters(const tiling& how);

    long size() const { return size_; } // floats

    const tiling& how() const { return how_; }
    // Channels (or rows of taps, without minimal filtering) are worked on in `chunks()` parts.
    long chunks() const { return chunks_; }
    long chunk_begin(long chunk) const { return chunk * chunk_size_; }
    long chunk_end(long chunk) const;
    long depth(long chunk) const;
    long panels() const { return panels_; } // per phase of the output

    // Where the panel (depth x 16) of a position begins, for one phase and panel of the output; the
    // next panel follows it.
    long panel_begin(long plane, long chunk, long position, long panel) const;

  private:
    tiling how_;
    long chunk_size_, chunks_, panels_, size_;
};

} // namespace ffgan::layers
