// The 16-lane vector in which the fast kernels are written: one register of AVX-512, two of AVX2, four of NEON or SSE.
#ifndef QUINTET_CONV_VECTOR_H
#define QUINTET_CONV_VECTOR_H
#include <stdint.h>
#include <string.h>
// Every function with vectors in its signature is inlined, so no calling convention is involved.
#pragma clang diagnostic ignored "-Wpsabi"
#define INLINE static inline __attribute__((always_inline))
#define SEPARATE static __attribute__((noinline))
typedef float v16 __attribute__((ext_vector_type(16)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef double d16 __attribute__((ext_vector_type(16)));
// Unaligned loads.
typedef float u16 __attribute__((ext_vector_type(16), aligned(4)));
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define LOAD(p) (*(const v16 *)(p))
#define STORE(p, v) (*(v16 *)(p) = (v))
#define LOAD_ANY(p) ((v16)(*(const u16 *)(p)))
#define STORE_ANY(p, v) (*(u16 *)(p) = (u16)(v))
#define SPLAT(x) ((v16)(float)(x))
// mask: lanes of all ones or all zeros, as comparisons give them.
#define SELECT(mask, a, b) ((v16)(((i16)(a) & (mask)) | ((i16)(b) & ~(mask))))
#define WIDEN(v) __builtin_convertvector(v, d16)
#endif
