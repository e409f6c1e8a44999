// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/filter_packing.h"
#include "kernels/strips.h"

namespace ffgan::layers {

void pack_filters(const tiled_filters& plan, const float* filters, float* storage) {
    pack_filters_as<float_products>(plan, filters, storage);
}

} // namespace ffgan::layers
