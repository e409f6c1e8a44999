// SPDX-License-Identifier: GPL-3.0-or-later
//
// The functions of kernels/, as everyone else calls them: each calls the one that was compiled for
// the instruction set in use.

#include "dispatch/instruction_set.h"
#include "kernels/kernel_table.h"

namespace ffgan {

void multiply_add_values(long n, const float* a, const float* b, const float* c, float* results) {
    kernels().multiply_add_values(n, a, b, c, results);
}

std::shared_ptr<const void> make_face_scan() { return kernels().make_face_scan(); }

void scan_faces(const void* scan, const rgb_view* images, long count, long upsamplings,
                double threshold, std::vector<face_box>* boxes) {
    kernels().scan_faces(scan, images, count, upsamplings, threshold, boxes);
}

void sigmoid_values(long n, float* values) { kernels().sigmoid_values(n, values); }

void softmax(long n, const float* values, float* probabilities) {
    kernels().softmax(n, values, probabilities);
}

void unit_to_pixels(long n, const float* values, std::uint8_t* pixels) {
    kernels().unit_to_pixels(n, values, pixels);
}

void pixels_to_floats(long n, const std::uint8_t* pixels, float scale, float* values) {
    kernels().pixels_to_floats(n, pixels, scale, values);
}

void update_adam(const adam_piece& piece, float rate, float beta1, float beta2) {
    kernels().update_adam(piece, rate, beta1, beta2);
}

#ifdef FFGAN_NO_BLAS
void sgemm(bool trans_a, bool trans_b, long m, long n, long k, float alpha, const float* a,
           long lda, const float* b, long ldb, float beta, float* c, long ldc) {
    kernels().sgemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#endif

namespace layers {

void multiply_and_clip(const pixel_filters& filters, const float* bias, const pixel_block& block) {
    kernels().multiply_and_clip(filters, bias, block);
}

void multiply_pixels(const pixel_filters& filters, const float* bias, bool add,
                     const pixel_block& block) {
    kernels().multiply_pixels(filters, bias, add, block);
}

void multiply_and_gate(const pixel_filters& filters, const pixel_block& block) {
    kernels().multiply_and_gate(filters, block);
}

void correlate_and_clip(const depthwise_row& row, const float* bias) {
    kernels().correlate_and_clip(row, bias);
}

void correlate_and_gate(const depthwise_row& row) { kernels().correlate_and_gate(row); }

void note_positive(const float* x, long size, std::uint8_t* gates) {
    kernels().note_positive(x, size, gates);
}

void add_and_clip(const float* branch, long size, float* x, std::uint8_t* gates) {
    kernels().add_and_clip(branch, size, x, gates);
}

void close_gates(const std::uint8_t* gates, long size, float* x) {
    kernels().close_gates(gates, size, x);
}

void add_channels(const float* branch, float factor, long size, float* x) {
    kernels().add_channels(branch, factor, size, x);
}

void pool_largest(const float* const* rows, long outputs, long channels, float* out,
                  std::uint8_t* places) {
    kernels().pool_largest(rows, outputs, channels, out, places);
}

void pool_largest_adjoint(const float* of_out, const std::uint8_t* places, long outputs,
                          long channels, float* const* of_rows) {
    kernels().pool_largest_adjoint(of_out, places, outputs, channels, of_rows);
}

void planes_to_channels_last(const float* planes, long plane_stride, long channels, long n,
                             float* pixels, long pixel_stride) {
    kernels().planes_to_channels_last(planes, plane_stride, channels, n, pixels, pixel_stride);
}

void channels_last_to_planes(const float* pixels, long pixel_stride, long channels, long n,
                             bool add, float* planes, long plane_stride) {
    kernels().channels_last_to_planes(pixels, pixel_stride, channels, n, add, planes, plane_stride);
}

void correlate(const convolution_shape& shape, long samples, const layer_values& image,
               const float* filters, const float* bias, const layer_target& map) {
    kernels().correlate(shape, samples, image, filters, bias, map);
}

void spread(const convolution_shape& shape, long samples, const layer_values& map,
            const float* filters, const float* bias, const layer_target& image) {
    kernels().spread(shape, samples, map, filters, bias, image);
}

void filter_gradient(const convolution_shape& shape, long samples, const layer_values& image,
                     const layer_values& map, float* gradient) {
    kernels().filter_gradient(shape, samples, image, map, gradient);
}

void bias_gradient(long samples, long channels, long places, const float* values, float* gradient) {
    kernels().bias_gradient(samples, channels, places, values, gradient);
}

void pack_filters(const tiled_filters& plan, const float* filters, float* storage) {
    kernels().pack_filters(plan, filters, storage);
}

void run_strips(const tiled_filters& filters, const float* storage, std::vector<strip>& strips,
                long first, long last, const epilogue& end,
                const std::function<void(long chunk)>& load, fetch_ahead next, bool exact) {
    kernels().run_strips(filters, storage, strips, first, last, end, load, next, exact);
}

void convolve(const tiling& how, long samples, const layer_values& in, const float* filters,
              const float* bias, const layer_target& out, const convolution_shape* squares) {
    kernels().convolve(how, samples, in, filters, bias, out, squares);
}

void tiled_filter_gradient(const convolution_shape& shape, long samples, const layer_values& image,
                           const layer_values& map, float* gradient) {
    kernels().tiled_filter_gradient(shape, samples, image, map, gradient);
}

void channel_statistics(const norm_shape& shape, const float* input, double* means,
                        double* variances) {
    kernels().channel_statistics(shape, input, means, variances);
}

void plane_statistics(const norm_shape& shape, const norm_surroundings& around, const float* input,
                      double* means, double* squares) {
    kernels().plane_statistics(shape, around, input, means, squares);
}

void join_planes(long samples, long channels, long places, const double* plane_means,
                 const double* plane_squares, double* means, double* variances) {
    kernels().join_planes(samples, channels, places, plane_means, plane_squares, means, variances);
}

void normalize(const norm_shape& shape, const norm_surroundings& around, const float* input,
               const float* means, const float* scales, const float* shifts, float* output) {
    kernels().normalize(shape, around, input, means, scales, shifts, output);
}

void normalize_batch(const norm_shape& shape, const norm_surroundings& around, double eps,
                     const float* gamma, const float* beta, const float* input, double* means,
                     double* variances, float* rounded_means, float* invstds, float* output) {
    kernels().normalize_batch(shape, around, eps, gamma, beta, input, means, variances,
                              rounded_means, invstds, output);
}

void normalize_backward(const norm_shape& shape, const norm_surroundings& around,
                        bool batch_statistics, const float* input, const float* gradient,
                        const float* means, const float* invstds, const float* gamma,
                        const float* beta, bool add, float* data_gradient, float* gamma_gradient,
                        float* beta_gradient, const shared_sums* shared) {
    kernels().normalize_backward(shape, around, batch_statistics, input, gradient, means, invstds,
                                 gamma, beta, add, data_gradient, gamma_gradient, beta_gradient,
                                 shared);
}

void leaky_relu_forward(long n, float slope, const float* input, float* output) {
    kernels().leaky_relu_forward(n, slope, input, output);
}

void leaky_relu_backward(long n, float slope, const float* output, const float* gradient, bool add,
                         float* data_gradient) {
    kernels().leaky_relu_backward(n, slope, output, gradient, add, data_gradient);
}

void sigmoid_forward(long n, const float* input, float* output) {
    kernels().sigmoid_forward(n, input, output);
}

void sigmoid_backward(long n, const float* output, const float* gradient, bool add,
                      float* data_gradient) {
    kernels().sigmoid_backward(n, output, gradient, add, data_gradient);
}

void leaky_relu_dropout_forward(long n, float slope, const std::uint64_t* mask, float factor,
                                const float* input, float* output) {
    kernels().leaky_relu_dropout_forward(n, slope, mask, factor, input, output);
}

void leaky_relu_dropout_backward(long n, float slope, const std::uint64_t* mask, float factor,
                                 const float* output, const float* gradient, bool add,
                                 float* data_gradient) {
    kernels().leaky_relu_dropout_backward(n, slope, mask, factor, output, gradient, add,
                                          data_gradient);
}

void statistics_channels_last(const norm_shape& shape, float slope_before, const float* input,
                              double* means, double* variances) {
    kernels().statistics_channels_last(shape, slope_before, input, means, variances);
}

void plane_statistics_channels_last(const norm_shape& shape, float slope_before, const float* input,
                                    double* means, double* squares) {
    kernels().plane_statistics_channels_last(shape, slope_before, input, means, squares);
}

void norm_gradient_channels_last(const norm_shape& shape, const pending_norm& pending,
                                 bool batch_statistics, const float* input, const float* invstds,
                                 float* gradient, float* gamma_gradient, float* beta_gradient,
                                 const shared_sums* shared) {
    kernels().norm_gradient_channels_last(shape, pending, batch_statistics, input, invstds,
                                          gradient, gamma_gradient, beta_gradient, shared);
}

void activation_gradient_channels_last(const norm_shape& shape, const pending_norm& pending,
                                       const float* input, float* gradient) {
    kernels().activation_gradient_channels_last(shape, pending, input, gradient);
}

void bias_gradient_channels_last(const norm_shape& shape, const float* values, float* gradient) {
    kernels().bias_gradient_channels_last(shape, values, gradient);
}

void mask_channels_last(const norm_shape& shape, const std::uint64_t* from, std::uint64_t* to) {
    kernels().mask_channels_last(shape, from, to);
}

void dropout_mask(std::uint64_t key, float rate, long n, std::uint64_t* mask, long first_word) {
    kernels().dropout_mask(key, rate, n, mask, first_word);
}

void repeat_mask(long first, long n, std::uint64_t* mask) { kernels().repeat_mask(first, n, mask); }

void dropout_apply(const std::uint64_t* mask, long n, const float* input, bool add, float* output) {
    kernels().dropout_apply(mask, n, input, add, output);
}

void dropout_scale(float factor, long n, const float* input, bool add, float* output) {
    kernels().dropout_scale(factor, n, input, add, output);
}

} // namespace layers
} // namespace ffgan
