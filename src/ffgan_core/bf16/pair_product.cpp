// SPDX-License-Identifier: GPL-3.0-or-later
#include "bf16/pair_product.h"

#include "base/sizes.h"
#include "kernels/native.h"

#include <array>
#include <utility>

namespace ffgan::bf16 {
namespace {

// The most sums that leave room for the operands in 32 registers.
constexpr int panels_at_once = 2, most_rows = 14;

// Panels come from L3 the first time: fetched as far ahead as the next ones, or where these are too
// large for that to stay in L2, this many rows.
constexpr long largest_fetched = 32 * 1024; // places
constexpr long rows_ahead = 48;

// sum + a[2 i + 1] * b[2 i + 1] + a[2 i] * b[2 i] for each float i.
inline native add_pairs(native sum, native a, native b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

template <int Rows, int Panels>
void multiply_tile(const float* l, long l_stride, long depth, const float* panels, bool add,
                   float* c, long c_stride) {
    const long panel_stride = depth / 2 * panel::columns;
    const long ahead = Panels * panel_stride <= largest_fetched ? Panels * panel_stride
                                                                : rows_ahead * panel::columns;
    native sum[Rows][Panels];
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < Panels; ++j)
            sum[i][j] = add ? load_native(c + j * c_stride + i * panel::columns) : native{};
    for (long p = 0; p < depth; p += panel::depth_block, l += l_stride)
#pragma GCC unroll 8
        for (long r = 0; r < block_places; ++r, panels += panel::columns) {
            native right[Panels];
#pragma GCC unroll 2
            for (int j = 0; j < Panels; ++j) {
                __builtin_prefetch(panels + ahead + j * panel_stride, 0, 2);
                right[j] = load_native(panels + j * panel_stride);
            }
#pragma GCC unroll 14
            for (int i = 0; i < Rows; ++i) {
                const native x = broadcast<native>(l[i * block_places + r]);
#pragma GCC unroll 2
                for (int j = 0; j < Panels; ++j)
                    sum[i][j] = add_pairs(sum[i][j], x, right[j]);
            }
        }
#pragma GCC unroll 14
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < Panels; ++j)
            store_native(c + j * c_stride + i * panel::columns, sum[i][j]);
}

template <int Panels, int... Less> constexpr auto tiles(std::integer_sequence<int, Less...>) {
    return std::array{multiply_tile<Less + 1, Panels>...};
}

template <int Panels>
void multiply_panels(long rows, const float* l, long l_stride, long depth, const float* panels,
                     bool add, float* c, long c_stride) {
    static constexpr auto by_rows = tiles<Panels>(std::make_integer_sequence<int, most_rows>());
    // Parts of the rows that are almost equal.
    for (long parts = divided_up(rows, long{most_rows}), done = 0; parts > 0; --parts) {
        const long height = divided_up(rows - done, parts);
        by_rows[count(height - 1)](l + done * block_places, l_stride, depth, panels, add,
                                   c + done * panel::columns, c_stride);
        done += height;
    }
}

} // namespace

void multiply(long rows, const float* l, long l_stride, long depth, const float* panels,
              long panel_count, bool add, float* c, long c_stride) {
    const long panel_stride = depth / 2 * panel::columns;
    long j = 0;
    for (; j + panels_at_once <= panel_count; j += panels_at_once)
        multiply_panels<panels_at_once>(rows, l, l_stride, depth, panels + j * panel_stride, add,
                                        c + j * c_stride, c_stride);
    for (; j < panel_count; ++j)
        multiply_panels<1>(rows, l, l_stride, depth, panels + j * panel_stride, add,
                           c + j * c_stride, c_stride);
}

} // namespace ffgan::bf16
