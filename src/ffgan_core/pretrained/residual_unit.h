// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two convolutions by 3x3 kernels that never change, beside which their input goes on (He et al.
// 2016), forward and back to the input. Filters are packed once for each way.

#pragma once

#include "layers/packed_convolution.h"
#include "pretrained/given_convolution.h"

#include <cstdint>
#include <vector>

namespace ffgan {

using image_views = std::vector<layers::image_view>; // of some images

// A convolution and its adjoint.
class two_way_convolution {
  public:
    two_way_convolution(long channels, long side, const given_convolution& given, long kernel,
                        long stride, long padding, bool relu);

    long side() const { return forward_.how().out_rows; }
    void forward(const image_views& in, const image_views& out) const { forward_.run(in, out); }
    void backward(const image_views& of_out, const image_views& of_in) const {
        adjoint_.run(of_out, of_in);
    }
    // Room for what is read on each side.
    void make_room_in(layers::padded_image& in) const { in.make_room(forward_.how()); }
    void make_room_out(layers::padded_image& out) const { out.make_room(adjoint_.how()); }

  private:
    layers::packed_convolution forward_, adjoint_;
};

// What a thread computes units with: images by their shapes, with zeros around them.
class residual_unit {
  public:
    // relu(x + second(relu(first(x)))), both with a padding of 1; or, if it goes down, with a
    // stride of 2 and no padding of the first one and with x averaged over 2x2, where the smaller
    // of the sum's terms gets zeros behind its rows, columns and channels (dlib's add_prev).
    residual_unit(long channels, long side, const given_convolution& first,
                  const given_convolution& second, bool down);

    bool goes_down() const { return down_; }
    long channels() const { return channels_; } // of the output
    long side() const { return side_; }

    // Bytes that backward needs of forward, of an image.
    long gates() const;

    // Images in between, each with room around it.
    struct rooms {
        layers::padded_image middle, branch;
        long middle_side, branch_side;
    };
    const rooms& between() const { return rooms_; }
    void make_room_in(layers::padded_image& in) const { first_.make_room_in(in); }
    void make_room_out(layers::padded_image& out) const { second_.make_room_out(out); }

    // x: the input; y: the output, which is x unless it goes down. gates: those of the first image.
    void forward(const image_views& x, const image_views& y, const image_views& middle,
                 const image_views& branch, std::uint8_t* gates) const;
    // From the gradient with respect to y, which it changes, to that with respect to x.
    void backward(const image_views& of_y, const image_views& of_x, const image_views& middle,
                  const image_views& branch, const std::uint8_t* gates) const;

  private:
    const long in_channels_, in_side_, channels_;
    const bool down_;
    two_way_convolution first_, second_;
    long side_;
    rooms rooms_;
};

} // namespace ffgan
