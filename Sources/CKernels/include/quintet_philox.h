// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the number at a counter
// is a pure function of key and counter, so nothing about randomness ever has to be remembered.
#ifndef QUINTET_PHILOX_H
#define QUINTET_PHILOX_H
#include <stddef.h>
#include <stdint.h>

/// One block: four words from a 128-bit counter and a 64-bit key.
void quintet_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/// Uniform floats in [0, 1) with 24 bits each: element i is word (first + i) % 4 of the block whose low 64 counter
/// bits are (first + i) / 4 and whose high 64 bits are `stream`.
void quintet_philox_uniform(uint64_t key, uint64_t stream, uint64_t first, float *out, size_t count);
#endif
