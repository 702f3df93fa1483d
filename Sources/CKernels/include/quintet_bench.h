// What a machine can do at most, and how much a convolution asks of it: the yardsticks of `quintet bench`.
#ifndef QUINTET_BENCH_H
#define QUINTET_BENCH_H
#include <stddef.h>
#include <stdint.h>
#include "quintet_network.h"
#include "quintet_pool.h"

/// Independent chains of 16-lane fused multiply-adds in registers, no memory, on all threads, with the instruction set
/// of quintet_variant_current (the plain loops have none of their own: portable). Returns the operations done, a fused
/// multiply-add counting as two; who calls takes the time.
double quintet_peak_compute(quintet_pool *pool, int64_t rounds);

/// to = from, and to = first + 3 * second, over `count` floats (a multiple of 16, buffers 64-byte aligned) on all
/// threads. Return the bytes read and written as the program asked for them: a line that the processor reads before it
/// overwrites it is not counted.
double quintet_peak_copy(quintet_pool *pool, const float *from, float *to, size_t count);
double quintet_peak_triad(quintet_pool *pool, const float *first, const float *second, float *to, size_t count);

/// Multiplications that one call does by the algorithm which its shape gets: padded channels and tiles that reach over
/// the end included, the additions of a transform not. Directions: QUINTET_FORWARD, QUINTET_TRANSPOSED,
/// QUINTET_WEIGHT_GRADIENT.
double quintet_multiplications(const quintet_convolution *convolution, int direction);
/// Multiplications of the definition: every output voxel, channel, input channel and tap, without padding.
double quintet_direct_multiplications(const quintet_convolution *convolution);
#endif
