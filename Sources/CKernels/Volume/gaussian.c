#include "quintet_gaussian.h"
#include <string.h>

// Every element is its own chain of fused multiply-adds in the order of k, so blocking and vector width change
// nothing; one source serves all instruction sets.
typedef float v8 __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

INLINE void weighted_rows(const float *in, ptrdiff_t stride, const float *weights, int taps, float *out, size_t count) {
    size_t x = 0;
    for (; x + 32 <= count; x += 32) {
        v8 a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0};
        const float *at = in + x;
        for (int k = 0; k < taps; k++, at += stride) {
            v8 w = weights[k] - (v8){0}, b0, b1, b2, b3;
            memcpy(&b0, at, 32);
            memcpy(&b1, at + 8, 32);
            memcpy(&b2, at + 16, 32);
            memcpy(&b3, at + 24, 32);
            a0 = __builtin_elementwise_fma(w, b0, a0);
            a1 = __builtin_elementwise_fma(w, b1, a1);
            a2 = __builtin_elementwise_fma(w, b2, a2);
            a3 = __builtin_elementwise_fma(w, b3, a3);
        }
        memcpy(out + x, &a0, 32);
        memcpy(out + x + 8, &a1, 32);
        memcpy(out + x + 16, &a2, 32);
        memcpy(out + x + 24, &a3, 32);
    }
    for (; x + 8 <= count; x += 8) {
        v8 sum = {0};
        for (int k = 0; k < taps; k++) {
            v8 w = weights[k] - (v8){0}, b;
            memcpy(&b, in + x + k * stride, 32);
            sum = __builtin_elementwise_fma(w, b, sum);
        }
        memcpy(out + x, &sum, 32);
    }
    for (; x < count; x++) {
        float sum = 0;
        for (int k = 0; k < taps; k++) sum = __builtin_fmaf(weights[k], in[(ptrdiff_t)x + k * stride], sum);
        out[x] = sum;
    }
}

static void weighted_rows_portable(const float *in, ptrdiff_t stride, const float *weights, int taps, float *out,
                                   size_t count) {
    weighted_rows(in, stride, weights, taps, out, count);
}

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
static void weighted_rows_avx2(const float *in, ptrdiff_t stride, const float *weights, int taps, float *out,
                               size_t count) {
    weighted_rows(in, stride, weights, taps, out, count);
}
#pragma clang attribute pop
#endif

void quintet_weighted_rows(const float *in, ptrdiff_t stride, const float *weights, int taps, float *out,
                           size_t count) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        weighted_rows_avx2(in, stride, weights, taps, out, count);
        return;
    }
#endif
    weighted_rows_portable(in, stride, weights, taps, out, count);
}

void quintet_transpose(const float *in, size_t rows, size_t columns, float *out) {
    enum { TILE = 16 };
    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < columns; c0 += TILE) {
            size_t r1 = r0 + TILE < rows ? r0 + TILE : rows, c1 = c0 + TILE < columns ? c0 + TILE : columns;
            for (size_t c = c0; c < c1; c++)
                for (size_t r = r0; r < r1; r++) out[c * rows + r] = in[r * columns + c];
        }
}
