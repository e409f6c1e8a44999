// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/depthwise.h"

#include "kernels/gates.h"

#include <algorithm>

namespace ffgan::layers {
namespace {

constexpr long most_outputs = 4;
// Channels whose taps and rows stay in the L1 cache while a row passes by.
constexpr long block_channels = 64;

// Some neighbouring outputs of a few channels: a pixel is read once for all of them.
template <long Taps, long Step, long Outputs, class Finish>
[[gnu::noinline]] void outputs(const depthwise_row& row, long first, long channel,
                               const Finish& finish) {
    gated sum[Outputs] = {};
    const long offset = first * Step * row.channels + channel;
    for (long y = 0; y < row.taps_down; ++y) {
        gated filter[Taps];
#pragma GCC unroll 5
        for (long x = 0; x < Taps; ++x)
            filter[x] = load(row.filters[y][x] + channel);
        const float* from = row.rows[y] + offset;
#pragma GCC unroll 16
        for (long at = 0; at < (Outputs - 1) * Step + Taps; ++at) {
            const gated pixel = load(from + at * row.channels);
#pragma GCC unroll 4
            for (long i = 0; i < Outputs; ++i)
                if (at - i * Step >= 0 && at - i * Step < Taps)
                    sum[i] = near_multiply_add(filter[at - i * Step], pixel, sum[i]);
        }
    }
#pragma GCC unroll 4
    for (long i = 0; i < Outputs; ++i)
        finish(sum[i], channel, row.out + (first + i) * row.out_stride + channel,
               row.gates + (first + i) * row.gates_stride + channel / 8);
}

template <long Taps, long Step, class Finish>
void whole_row(const depthwise_row& row, const Finish& finish) {
    for (long block = 0; block < row.channels; block += block_channels) {
        const long end = std::min(row.channels, block + block_channels);
        const auto some = [&](long first, auto f) {
            for (long channel = block; channel < end; channel += gated_lanes)
                f(row, first, channel, finish);
        };
        long first = 0;
        for (; first + most_outputs <= row.outputs; first += most_outputs)
            some(first, outputs<Taps, Step, 4, Finish>);
        switch (row.outputs - first) {
        case 3:
            some(first, outputs<Taps, Step, 3, Finish>);
            break;
        case 2:
            some(first, outputs<Taps, Step, 2, Finish>);
            break;
        case 1:
            some(first, outputs<Taps, Step, 1, Finish>);
            break;
        }
    }
}

template <class Finish> void with_taps(const depthwise_row& row, const Finish& finish) {
    // Those of stride 2 have all their taps; of one by phases a part.
    switch (row.taps_across) {
    case 1:
        return whole_row<1, 1>(row, finish);
    case 2:
        return whole_row<2, 1>(row, finish);
    case 3:
        return row.step == 1 ? whole_row<3, 1>(row, finish) : whole_row<3, 2>(row, finish);
    default:
        return row.step == 1 ? whole_row<5, 1>(row, finish) : whole_row<5, 2>(row, finish);
    }
}

} // namespace

void correlate_and_clip(const depthwise_row& row, const float* bias) {
    const gated zero = broadcast<gated>(0), six = broadcast<gated>(6);
    with_taps(row, [=](gated sum, long channel, float* out, std::uint8_t* gates) {
        const gated x = sum + load(bias + channel);
        note_between(x, zero, six, gates);
        store(out, smaller(larger(x, zero), six));
    });
}

void correlate_and_gate(const depthwise_row& row) {
    with_taps(row, [](gated sum, long, float* out, std::uint8_t* gates) {
        store(out, where_open(sum, gates));
    });
}

} // namespace ffgan::layers
