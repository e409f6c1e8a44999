// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/residual_unit.h"

#include "base/sizes.h"
#include "kernels/channel_passes.h"

#include <algorithm>

namespace ffgan {
namespace {

using layers::convolution_shape;
using layers::image_view;
using layers::padded_image;
using layers::tiling;

tiling tiling_of(long channels, long side, const given_convolution& given, long kernel, long stride,
                 long padding, tiling::direction way) {
    return tiling(convolution_shape::over_image(channels, side, side,
                                                static_cast<long>(given.bias.size()), kernel,
                                                stride, padding),
                  way);
}

padded_image no_room(long side, long channels) { return {0, 0, side, side, channels}; }

// Calls f(row of one image, row of the other, gates of the row).
template <class gate, class F>
void each_row(const image_view& one, const image_view& other, long side, long channels, gate* gates,
              const F& f) {
    for (long r = 0; r < side; ++r, gates += side * channels / 8)
        f(one.at(r, 0), other.at(r, 0), gates);
}

} // namespace

two_way_convolution::two_way_convolution(long channels, long side, const given_convolution& given,
                                         long kernel, long stride, long padding, bool relu)
    : forward_(
          tiling_of(channels, side, given, kernel, stride, padding, tiling::direction::correlate),
          given.filters, given.bias, relu, 0.0f, {}, {}),
      adjoint_(tiling_of(channels, side, given, kernel, stride, padding, tiling::direction::spread),
               given.filters, {}, false, 0.0f, {}, {}) {}

residual_unit::residual_unit(long channels, long side, const given_convolution& first,
                             const given_convolution& second, bool down)
    : in_channels_(channels), in_side_(side), channels_(static_cast<long>(second.bias.size())),
      down_(down), first_(channels, side, first, 3, down ? 2 : 1, down ? 0 : 1, true),
      second_(channels_, first_.side(), second, 3, 1, 1, false) {
    const long middle = first_.side();
    side_ = down ? std::max(side / 2, middle) : side;
    rooms_.middle_side = middle;
    rooms_.middle = no_room(middle, channels_);
    second_.make_room_in(rooms_.middle);
    first_.make_room_out(rooms_.middle);
    // In a unit that goes down it holds the second convolution's output, else the first one's
    // input.
    rooms_.branch_side = down ? middle : side;
    rooms_.branch = no_room(rooms_.branch_side, channels_);
    second_.make_room_out(rooms_.branch);
}

long residual_unit::gates() const {
    const long middle = rooms_.middle_side;
    return (middle * middle + side_ * side_) * channels_ / 8;
}

void residual_unit::forward(const image_views& x, const image_views& y, const image_views& middle,
                            const image_views& branch, std::uint8_t* gates) const {
    first_.forward(x, middle);
    second_.forward(middle, branch);
    const long row = side_ * channels_, inner = rooms_.middle_side;
    for (std::size_t i = 0; i < x.size(); ++i, gates += this->gates()) {
        each_row(middle[i], middle[i], inner, channels_, gates,
                 [&](const float* values, const float*, std::uint8_t* open) {
                     layers::note_positive(values, inner * channels_, open);
                 });
        std::uint8_t* open_out = gates + inner * inner * channels_ / 8;
        if (!down_) {
            each_row(branch[i], x[i], side_, channels_, open_out,
                     [&](const float* from, float* to, std::uint8_t* open) {
                         layers::add_and_clip(from, row, to, open);
                     });
            continue;
        }
        for (long r = 0; r < side_; ++r)
            std::fill_n(y[i].at(r, 0), row, 0.0f);
        for (long r = 0; r < in_side_ / 2; ++r)
            for (long c = 0; c < in_side_ / 2; ++c)
                for (long place = 0; place < 4; ++place)
                    layers::add_channels(x[i].at(2 * r + place / 2, 2 * c + place % 2), 0.25f,
                                         in_channels_, y[i].at(r, c));
        for (long r = 0; r < rooms_.branch_side; ++r)
            layers::add_channels(branch[i].at(r, 0), 1.0f, rooms_.branch_side * channels_,
                                 y[i].at(r, 0));
        each_row(y[i], y[i], side_, channels_, open_out,
                 [&](float* values, const float*, std::uint8_t* open) {
                     layers::note_positive(values, row, open);
                     layers::close_gates(open, row, values);
                 });
    }
}

void residual_unit::backward(const image_views& of_y, const image_views& of_x,
                             const image_views& middle, const image_views& branch,
                             const std::uint8_t* gates) const {
    const long row = side_ * channels_, inner = rooms_.middle_side;
    const std::uint8_t* first_gates = gates;
    for (std::size_t i = 0; i < of_y.size(); ++i, gates += this->gates()) {
        each_row(of_y[i], of_y[i], side_, channels_, gates + inner * inner * channels_ / 8,
                 [&](float* values, const float*, const std::uint8_t* open) {
                     layers::close_gates(open, row, values);
                 });
        if (down_)
            for (long r = 0; r < rooms_.branch_side; ++r)
                std::copy_n(of_y[i].at(r, 0), rooms_.branch_side * channels_, branch[i].at(r, 0));
    }
    second_.backward(down_ ? branch : of_y, middle);
    gates = first_gates;
    for (std::size_t i = 0; i < of_y.size(); ++i, gates += this->gates())
        each_row(middle[i], middle[i], inner, channels_, gates,
                 [&](float* values, const float*, const std::uint8_t* open) {
                     layers::close_gates(open, inner * channels_, values);
                 });
    first_.backward(middle, down_ ? of_x : branch);
    for (std::size_t i = 0; i < of_y.size(); ++i) {
        if (!down_) {
            for (long r = 0; r < side_; ++r)
                layers::add_channels(branch[i].at(r, 0), 1.0f, row, of_x[i].at(r, 0));
            continue;
        }
        for (long r = 0; r < in_side_ / 2; ++r)
            for (long c = 0; c < in_side_ / 2; ++c)
                for (long place = 0; place < 4; ++place)
                    layers::add_channels(of_y[i].at(r, c), 0.25f, in_channels_,
                                         of_x[i].at(2 * r + place / 2, 2 * c + place % 2));
    }
}

} // namespace ffgan
