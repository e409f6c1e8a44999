// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/panel_product.h"

#include "kernels/emulated_product.h"
#include "kernels/native.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace ffgan::panel {
namespace {

constexpr int vectors = static_cast<int>(columns / native_lanes); // of a row of a panel

// The most sums that leave room for the operands: 14 x 2 panels with 32 registers of 16 floats,
// 6 x 1 with 16 of 8 or 32 of 4, 2 x 1 with 16 of 4.
constexpr int panels_at_once = native_lanes == 16 ? 2 : 1;
constexpr int most_rows = native_lanes == 16 ? 14 : native_lanes * native_registers >= 128 ? 6 : 2;
// Rows of C in multiply_transposed: parts of a block of 16.
constexpr int most_transposed_rows = native_lanes == 16 ? 8 : most_rows;

// Panels come from L3 the first time: fetched as far ahead as the next ones, or where these are too
// large for that to stay in L2, this many rows.
constexpr long largest_fetched = 32 * 1024; // floats
constexpr long rows_ahead = 48;

// Products of a sum that need not be exact.
constexpr long summed_depth = 64;

// Rows x Panels * 16 sums in registers. Exact: see panel_product.h.
template <bool Exact, int Rows, int Panels> struct sums {
    static constexpr int width = Panels * vectors;
    native value[Rows][width];

    static long offset(int i, int j, long c_stride) {
        return j / vectors * c_stride + i * columns + j % vectors * native_lanes;
    }

    void begin(bool add, const float* c, long c_stride) {
#pragma GCC unroll 14
        for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
            for (int j = 0; j < width; ++j)
                value[i][j] = add ? load_native(c + offset(i, j, c_stride)) : native{};
    }

    // Adds the product of a column of L, left(i), and a row of the panels.
    template <class Left> void add(const Left& left, const float* panels, long panel_stride) {
        native right[width];
#pragma GCC unroll 8
        for (int j = 0; j < width; ++j)
            right[j] =
                load_native(panels + j / vectors * panel_stride + j % vectors * native_lanes);
#pragma GCC unroll 14
        for (int i = 0; i < Rows; ++i) {
            const native x = broadcast<native>(left(i));
#pragma GCC unroll 8
            for (int j = 0; j < width; ++j)
                value[i][j] = Exact ? multiply_add(x, right[j], value[i][j])
                                    : near_multiply_add(x, right[j], value[i][j]);
        }
    }

    void store(bool add, float* c, long c_stride) const {
#pragma GCC unroll 14
        for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
            for (int j = 0; j < width; ++j) {
                float* target = c + offset(i, j, c_stride);
                store_native(target, add ? load_native(target) + value[i][j] : value[i][j]);
            }
    }
};

// As `multiply` and `multiply_transposed`, for Rows rows of C and Panels panels.
template <bool Exact, int Rows, int Panels> struct tile {
    static void multiply(const float* l, long l_stride, long depth, const float* panels, bool add,
                         float* c, long c_stride) {
        const long panel_stride = depth * columns;
        const long ahead =
            Panels * panel_stride <= largest_fetched ? Panels * panel_stride : rows_ahead * columns;
        const long part = Exact ? depth : summed_depth;
        sums<Exact, Rows, Panels> sum;
        for (long begin = 0; begin < depth; begin += part) {
            sum.begin(Exact && add, c, c_stride);
            for (long p = begin; p < std::min(depth, begin + part); p += depth_block, l += l_stride)
                for (long q = 0; q < depth_block; q += 4)
#pragma GCC unroll 4
                    for (long r = q; r < q + 4; ++r, panels += columns) {
                        for (int j = 0; j < Panels; ++j)
                            __builtin_prefetch(panels + ahead + j * panel_stride, 0, 2);
                        sum.add([&](int i) { return l[i * depth_block + r]; }, panels,
                                panel_stride);
                    }
            sum.store(!Exact && (add || begin > 0), c, c_stride);
        }
    }

    static void multiply_transposed(const float* l, long rows, const float* panels, long row_stride,
                                    long panel_stride, bool add, float* c, long c_stride) {
        sums<Exact, Rows, Panels> sum;
        sum.begin(false, c, c_stride);
        for (long r = 0; r < rows; ++r, l += depth_block, panels += row_stride)
            sum.add([&](int i) { return l[i]; }, panels, panel_stride);
        sum.store(add, c, c_stride);
    }
};

template <bool Exact, int Panels, int... Less>
constexpr auto products(std::integer_sequence<int, Less...>) {
    return std::array{tile<Exact, Less + 1, Panels>::multiply...};
}
template <int Panels, int... Less>
constexpr auto transposed_products(std::integer_sequence<int, Less...>) {
    return std::array{tile<false, Less + 1, Panels>::multiply_transposed...};
}

// Calls f(first, height) for parts of the rows that are almost equal: a last one of a row or two
// would leave the pipelines idle.
template <class F> void by_height(long rows, long most, const F& f) {
    for (long parts = divided_up(rows, most), done = 0; parts > 0; --parts) {
        const long height = divided_up(rows - done, parts);
        f(done, count(height));
        done += height;
    }
}

// Calls f(first panel, constant number of panels).
template <class F> void by_panels(long panel_count, const F& f) {
    long j = 0;
    for (; j + panels_at_once <= panel_count; j += panels_at_once)
        f(j, std::integral_constant<int, panels_at_once>());
    if constexpr (panels_at_once > 1)
        for (; j < panel_count; ++j)
            f(j, std::integral_constant<int, 1>());
}

template <bool Exact>
void multiply_panels(long rows, const float* l, long l_stride, long depth, const float* panels,
                     long panel_count, bool add, float* c, long c_stride) {
    by_panels(panel_count, [&](long j, auto at_once) {
        static constexpr auto by_rows =
            products<Exact, decltype(at_once)::value>(std::make_integer_sequence<int, most_rows>());
        by_height(rows, most_rows, [&](long first, std::size_t height) {
            by_rows[height - 1](l + first * depth_block, l_stride, depth,
                                panels + j * depth * columns, add,
                                c + j * c_stride + first * columns, c_stride);
        });
    });
}

#ifndef FFGAN_FUSES

// As multiply, for one panel, from sums of 0.
void multiply_emulated(long rows, const float* l, long l_stride, long depth, const float* panel,
                       float* c) {
    static thread_local std::vector<double> wide;
    static thread_local std::vector<float> lines;
    wide.assign(panel, panel + depth * columns);
    lines.resize(count(2 * depth));
    const bool usual = emulated::in_range(panel, depth * columns);
    for (long i = 0; i < rows; i += 2) {
        const bool two = i + 1 < rows;
        for (long row = 0; row < (two ? 2 : 1); ++row)
            for (long p = 0; p < depth; p += depth_block)
                std::memcpy(lines.data() + row * depth + p,
                            l + p / depth_block * l_stride + (i + row) * depth_block,
                            depth_block * sizeof(float));
        bool done = usual && emulated::in_range(lines.data(), two ? 2 * depth : depth);
        float sums[2][2][8];
        for (long half = 0; half < 2; ++half)
            done =
                done &&
                (two ? emulated::multiply_eight<true>
                     : emulated::multiply_eight<false>)(lines.data(), lines.data() + depth, depth,
                                                        wide.data() + 8 * half, sums[half]);
        float* target = c + i * columns;
        if (!done) {
            (two ? tile<true, 2, 1>::multiply : tile<true, 1, 1>::multiply)(
                l + i * depth_block, l_stride, depth, panel, false, target, 0);
            continue;
        }
        for (long row = 0; row < (two ? 2 : 1); ++row)
            for (long half = 0; half < 2; ++half)
                std::memcpy(target + row * columns + 8 * half, sums[half][row],
                            sizeof sums[half][row]);
    }
}

#endif

} // namespace

void multiply(long rows, const float* l, long l_stride, long depth, const float* panels,
              long panel_count, bool add, float* c, long c_stride, bool exact) {
    if (!exact) {
        multiply_panels<false>(rows, l, l_stride, depth, panels, panel_count, add, c, c_stride);
        return;
    }
#ifndef FFGAN_FUSES
    if (!add) {
        for (long j = 0; j < panel_count; ++j)
            multiply_emulated(rows, l, l_stride, depth, panels + j * depth * columns,
                              c + j * c_stride);
        return;
    }
#endif
    multiply_panels<true>(rows, l, l_stride, depth, panels, panel_count, add, c, c_stride);
}

void multiply_transposed(long depth, const float* l, long l_stride, long rows, const float* panels,
                         long row_stride, long panel_stride, long panel_count, bool add, float* c,
                         long c_stride) {
    by_panels(panel_count, [&](long j, auto at_once) {
        static constexpr auto by_rows = transposed_products<decltype(at_once)::value>(
            std::make_integer_sequence<int, most_transposed_rows>());
        for (long p = 0; p < depth; p += depth_block)
            by_height(depth_block, most_transposed_rows, [&](long first, std::size_t height) {
                by_rows[height - 1](l + p / depth_block * l_stride + first, rows,
                                    panels + j * panel_stride, row_stride, panel_stride, add,
                                    c + j * c_stride + (p + first) * columns, c_stride);
            });
    });
}

} // namespace ffgan::panel
