// SPDX-License-Identifier: GPL-3.0-or-later
#include "bf16/bf16_convolution.h"

#include "base/workspace.h"
#include "bf16/near_points.h"
#include "bf16/pair_product.h"
#include "kernels/filter_packing.h"
#include "kernels/strips.h"

namespace ffgan {
namespace {

using namespace layers;

// Pairs of the depth, in the place of a float each.
struct pair_products {
    static constexpr long line = bf16::block_places;
    static void store(float* line, long i, native values) {
        const __m256bh rounded = _mm512_cvtneps_pbh(values);
        std::memcpy(line + i / 2, &rounded, sizeof rounded);
    }
    template <class F> static void with_transform(long tile, long taps, const F& f) {
        if (tile == bf16::near_points::tile && taps == bf16::near_points::taps)
            f(bf16::near_points());
        else
            layers::with_transform(tile, taps, f);
    }
    void multiply(long rows, const float* l, long l_stride, long depth, const float* panels,
                  long panel_count, bool add, float* c, long c_stride) const {
        bf16::multiply(rows, l, l_stride, depth, panels, panel_count, add, c, c_stride);
    }
};

void pack(const tiled_filters& plan, const float* filters, float* storage) {
    workspace floats;
    float* packed = floats.get(count(plan.size()));
    pack_filters_as<pair_products>(plan, filters, packed);
    // Every panel has an even number of rows, whose pairs follow one another.
    for (long i = 0; i < plan.size(); i += 2 * panel::columns) {
        std::uint16_t rows[2][panel::columns], line[2 * panel::columns];
        for (long row = 0; row < 2; ++row) {
            const __m256bh rounded =
                _mm512_cvtneps_pbh(load_native(packed + i + row * panel::columns));
            std::memcpy(rows[row], &rounded, sizeof rounded);
        }
        for (long j = 0; j < panel::columns; ++j) {
            line[2 * j] = rows[0][j];
            line[2 * j + 1] = rows[1][j];
        }
        std::memcpy(storage + i / 2, line, sizeof line);
    }
}

void run(const tiled_filters& filters, const float* storage, std::vector<strip>& strips, long first,
         long last, const epilogue& end, const std::function<void(long chunk)>& load) {
    run_strips_as(pair_products(), filters, storage, strips, first, last, end, load);
}

} // namespace

// The only name that the other objects see.
extern "C" const bf16_kernels ffgan_kernels_avx512_bf16;
const bf16_kernels ffgan_kernels_avx512_bf16 = {pack, run};

} // namespace ffgan
