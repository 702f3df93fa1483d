// The two inner loops of the separable Gaussian filter (Imaging/GaussianFilter.swift).
#ifndef QUINTET_GAUSSIAN_H
#define QUINTET_GAUSSIAN_H
#include <stddef.h>

/// out[x] = sum over k of weights[k] * in[k * stride + x] for x in 0 ..< count, by fused multiply-adds in the order
/// of k from zero: the same bits for any vector width. `out` must not overlap `in`; stride may be 1 (a convolution
/// along the row).
void quintet_weighted_rows(const float *in, ptrdiff_t stride, const float *weights, int taps, float *out, size_t count);

/// out[c * rows + r] = in[r * columns + c].
void quintet_transpose(const float *in, size_t rows, size_t columns, float *out);
#endif
