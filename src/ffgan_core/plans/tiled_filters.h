// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the filters of a tiling lie in memory. Filters are packed once and live as long as a model;
// the sums of a chunk of the depth are stored before the next one is added, so where the depth is
// cut is part of what a value is, and the same for every instruction set.

#pragma once

#include "plans/tiling.h"

namespace ffgan::layers {

// Channels that are computed together.
constexpr long panel_columns = 16;
// Tiles multiplied together: enough that streaming the filters past them costs little.
constexpr long block_tiles = 48;
// Floats of the transformed input of a block, for L2 next to the panels of the filters.
constexpr long block_floats = 64 * 1024;

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

    // The panels (depth x 16) of all positions for one phase and panel of the output.
    const float* panel(const float* storage, long plane, long chunk, long panel) const;

  private:
    tiling how_;
    long chunk_size_, chunks_, panels_, size_;
};

} // namespace ffgan::layers
