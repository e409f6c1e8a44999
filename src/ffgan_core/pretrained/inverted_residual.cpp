// SPDX-License-Identifier: GPL-3.0-or-later
#include "pretrained/inverted_residual.h"

#include "base/sizes.h"

#include <algorithm>

namespace ffgan {
namespace {

using layers::depthwise_row;
using layers::pixel_block;
using layers::pixel_filters;

constexpr long panel = 16;
// Floats between the convolutions, for the L2 cache next to the filters.
constexpr long cached = 64 * 1024;

std::vector<float> padded(std::vector<float> values, long size) {
    values.resize(count(size), 0.0f);
    return values;
}

// Rows of consecutive images with room around them, of which some are held at a time, each in the
// place of one that has served.
class row_ring {
  public:
    row_ring(workspace& room, workspace& zeros, long slots, long pixels, long first, long last,
             long channels)
        : slots_(slots), pixels_(pixels), first_(first), channels_(channels) {
        rows_ = room.get(count(slots * pixels * channels));
        for (long s = 0; s < slots; ++s) {
            std::fill_n(slot(s), first * channels, 0.0f);
            std::fill(slot(s) + last * channels, slot(s + 1), 0.0f);
        }
        zeros_ = zeros.get(count(pixels * channels));
        std::fill_n(zeros_, pixels * channels, 0.0f);
    }

    // Pixel 0 of a row, with the room before it.
    const float* row(long number) const { return slot(number % slots_); }
    const float* zeros() const { return zeros_; }
    float* base() const { return rows_; }
    // Where the pixels of rows [first, last) are, from base().
    void places(long first, long last, long width, std::vector<long>& result) const {
        result.clear();
        for (long r = first; r < last; ++r)
            for (long c = 0; c < width; ++c)
                result.push_back((r % slots_ * pixels_ + first_ + c) * channels_);
    }

  private:
    float* slot(long number) const { return rows_ + number * pixels_ * channels_; }

    long slots_, pixels_, first_, channels_;
    float *rows_, *zeros_;
};

long equal_parts(long whole, long most) { return divided_up(whole, divided_up(whole, most)); }

} // namespace

window::window(long kernel, long stride, long in_side)
    : kernel(kernel), stride(stride), in_side(in_side), side(divided_up(in_side, stride)),
      before(std::max((side - 1) * stride + kernel - in_side, 0L) / 2) {}

inverted_residual::inverted_residual(const window& shape, long inputs,
                                     const given_convolution& expand,
                                     const given_convolution& depthwise,
                                     const given_convolution& project, bool residual)
    : shape_(shape), inputs_(inputs),
      channels_(rounded_up(static_cast<long>(depthwise.bias.size()), panel)), residual_(residual) {
    const long middle = static_cast<long>(depthwise.bias.size());
    const long outputs = static_cast<long>(project.bias.size());
    expand_ = pixel_filters(expand.filters.data(), middle, inputs, inputs, 1);
    expand_adjoint_ = pixel_filters(expand.filters.data(), inputs, middle, 1, inputs);
    project_ = pixel_filters(project.filters.data(), outputs, middle, middle, 1);
    project_adjoint_ = pixel_filters(project.filters.data(), middle, outputs, 1, middle);
    expand_bias_ = padded(expand.bias, channels_);
    bias_ = padded(depthwise.bias, channels_);
    project_bias_ = padded(project.bias, project_.outputs_written());
    const long taps = shape.kernel * shape.kernel;
    filters_.resize(count(taps * channels_));
    for (long c = 0; c < middle; ++c)
        for (long tap = 0; tap < taps; ++tap)
            filters_[count(tap * channels_ + c)] = depthwise.filters[count(c * taps + tap)];

    // Of a row before the convolution in the middle, and of one after it.
    const long row = (shape.in_side + shape.kernel) * channels_, after = shape.side * channels_;
    const long room = (cached - shape.kernel * row) / (shape.stride * row + after);
    rows_at_once_ = equal_parts(shape.side, std::clamp(room, 1L, shape.side));
    in_rows_at_once_ = std::min(shape.in_side, rows_at_once_ * shape.stride);
}

depthwise_row inverted_residual::middle_row(const float* const* rows, float* out,
                                            std::uint8_t* open) const {
    const long k = shape_.kernel;
    depthwise_row row;
    for (long y = 0; y < k; ++y) {
        row.rows[y] = rows[y];
        for (long x = 0; x < k; ++x)
            row.filters[y][x] = filter(y, x);
    }
    row.taps_down = row.taps_across = k;
    row.step = shape_.stride;
    row.outputs = shape_.side;
    row.channels = row.out_stride = channels_;
    row.out = out;
    row.gates = open;
    row.gates_stride = channels_ / 8;
    return row;
}

void inverted_residual::forward(const reader& read, long in_stride, const gates& open, float* out,
                                memory& scratch) const {
    const long k = shape_.kernel, stride = shape_.stride, gate = channels_ / 8;
    const long side = shape_.side, in_side = shape_.in_side;
    const long out_pixel = project_.outputs_written();
    const row_ring ring(scratch.expanded, scratch.zeros,
                        std::min(in_side, (rows_at_once_ - 1) * stride + k),
                        std::max((side - 1) * stride + k, shape_.before + in_side), shape_.before,
                        shape_.before + in_side, channels_);
    float* middle = scratch.middle.get(count(rows_at_once_ * side * channels_));
    long expanded = 0; // rows
    for (long first = 0; first < side; first += rows_at_once_) {
        const long last = std::min(side, first + rows_at_once_);
        const long needed = std::min(in_side, (last - 1) * stride - shape_.before + k);
        if (needed > expanded) {
            ring.places(expanded, needed, in_side, scratch.places);
            layers::multiply_and_clip(expand_, expand_bias_.data(),
                                      {(needed - expanded) * in_side, read(expanded, needed),
                                       in_stride, ring.base(), 0, scratch.places.data(),
                                       open.expanded + expanded * in_side * gate, gate});
            expanded = needed;
        }
        for (long r = first; r < last; ++r) {
            const float* rows[layers::most_taps];
            for (long y = 0; y < k; ++y) {
                const long from = r * stride - shape_.before + y;
                rows[y] = from >= 0 && from < in_side ? ring.row(from) : ring.zeros();
            }
            layers::correlate_and_clip(middle_row(rows, middle + (r - first) * side * channels_,
                                                  open.middle + r * side * gate),
                                       bias_.data());
        }
        layers::multiply_pixels(
            project_, project_bias_.data(), residual_,
            {(last - first) * side, middle, channels_, out + first * side * out_pixel, out_pixel});
    }
}

void inverted_residual::backward(const float* of_out, const gates& open, const writer& write,
                                 memory& scratch) const {
    const long k = shape_.kernel, stride = shape_.stride, gate = channels_ / 8;
    const long side = shape_.side, in_side = shape_.in_side;
    const long before = shape_.before, border = (k - 1) / stride;
    const long out_pixel = project_.outputs_written();
    const row_ring ring(scratch.expanded, scratch.zeros,
                        std::min(side, (in_rows_at_once_ - 1) / stride + border + 2),
                        border + std::max(side, (in_side - 1 + before) / stride + 1), border,
                        border + side, channels_);
    float* of_expanded = scratch.middle.get(count(in_rows_at_once_ * in_side * channels_));
    long made = 0; // rows of the gradient of the middle's output
    for (long first = 0; first < in_side; first += in_rows_at_once_) {
        const long last = std::min(in_side, first + in_rows_at_once_);
        const long needed = std::min(side, (last - 1 + before) / stride + 1);
        if (needed > made) {
            ring.places(made, needed, side, scratch.places);
            layers::multiply_and_gate(project_adjoint_,
                                      {(needed - made) * side, of_out + made * side * out_pixel,
                                       out_pixel, ring.base(), 0, scratch.places.data(),
                                       open.middle + made * side * gate, gate});
            made = needed;
        }
        for (long r = first; r < last; ++r) {
            const long down = (r + before) % stride;
            const float* rows[layers::most_taps];
            for (long tap = down, y = divided_up(k - down, stride); tap < k; tap += stride) {
                const long from = (r + before - tap) / stride;
                rows[--y] = r + before >= tap && from < side ? ring.row(from) : ring.zeros();
            }
            for (long phase = 0; phase < stride; ++phase)
                layers::correlate_and_gate(adjoint_row(
                    rows, border, down, phase, of_expanded + (r - first) * in_side * channels_,
                    open.expanded + r * in_side * gate));
        }
        write(first, last, of_expanded);
    }
}

// Columns of a row of the input that meet taps phase, phase + stride and so on; rows are met by
// taps down, down + stride and so on, the last one first.
depthwise_row inverted_residual::adjoint_row(const float* const* rows, long border, long down,
                                             long phase, float* out, std::uint8_t* open) const {
    const long k = shape_.kernel, stride = shape_.stride, gate = channels_ / 8;
    const long column = (phase + stride - shape_.before % stride) % stride; // the first one
    depthwise_row row;
    row.taps_down = divided_up(k - down, stride);
    row.taps_across = divided_up(k - phase, stride);
    const long offset = (column + shape_.before) / stride + border - (row.taps_across - 1);
    for (long y = 0; y < row.taps_down; ++y) {
        row.rows[y] = rows[y] + offset * channels_;
        for (long x = 0; x < row.taps_across; ++x)
            row.filters[y][x] = filter(down + stride * (row.taps_down - 1 - y),
                                       phase + stride * (row.taps_across - 1 - x));
    }
    row.step = 1;
    row.outputs = divided_up(shape_.in_side - column, stride);
    row.channels = channels_;
    row.out = out + column * channels_;
    row.out_stride = stride * channels_;
    row.gates = open + column * gate;
    row.gates_stride = stride * gate;
    return row;
}

} // namespace ffgan
