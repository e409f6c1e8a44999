// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/channel_passes.h"

#include "kernels/gates.h"

namespace ffgan::layers {

void note_positive(const float* x, long size, std::uint8_t* gates) {
    for (long i = 0; i < size; i += gated_lanes)
        note_above(load(x + i), broadcast<gated>(0), gates + i / 8);
}

void add_and_clip(const float* branch, long size, float* x, std::uint8_t* gates) {
    const gated zero = broadcast<gated>(0);
    for (long i = 0; i < size; i += gated_lanes) {
        const gated sum = load(x + i) + load(branch + i);
        note_above(sum, zero, gates + i / 8);
        store(x + i, larger(sum, zero));
    }
}

void close_gates(const std::uint8_t* gates, long size, float* x) {
    for (long i = 0; i < size; i += gated_lanes)
        store(x + i, where_open(load(x + i), gates + i / 8));
}

void add_channels(const float* branch, float factor, long size, float* x) {
    const gated by = broadcast<gated>(factor);
    for (long i = 0; i < size; i += gated_lanes)
        store(x + i, near_multiply_add(by, load(branch + i), load(x + i)));
}

void pool_largest(const float* const* rows, long outputs, long channels, float* out,
                  std::uint8_t* places) {
    for (long o = 0; o < outputs; ++o)
        for (long c = 0; c < channels; c += 8) {
            float8 best = broadcast8(0), place = broadcast8(no_place);
            for (int tap = 0; tap < 9; ++tap) {
                const float8 x = load8(rows[tap / 3] + (2 * o + tap % 3) * channels + c);
                place = select(x > best, broadcast8(static_cast<float>(tap)), place);
                best = larger(x, best);
            }
            store8(out + o * channels + c, best);
            float values[8];
            store8(values, place);
            for (long i = 0; i < 8; ++i)
                places[o * channels + c + i] = static_cast<std::uint8_t>(values[i]);
        }
}

void pool_largest_adjoint(const float* of_out, const std::uint8_t* places, long outputs,
                          long channels, float* const* of_rows) {
    for (long o = 0; o < outputs; ++o)
        for (long c = 0; c < channels; c += 8) {
            float values[8];
            for (long i = 0; i < 8; ++i)
                values[i] = static_cast<float>(places[o * channels + c + i]);
            const float8 place = load8(values), gradient = load8(of_out + o * channels + c);
            for (int tap = 0; tap < 9; ++tap) {
                float* target = of_rows[tap / 3] + (2 * o + tap % 3) * channels + c;
                const float8 other = place - static_cast<float>(tap);
                const float8 is_it = select(other * other < broadcast8(0.5f), gradient, float8{});
                store8(target, load8(target) + is_it);
            }
        }
}

} // namespace ffgan::layers
