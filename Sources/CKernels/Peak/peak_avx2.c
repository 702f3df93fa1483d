// The yardsticks compiled for AVX2; called only where the processor has it.
#if defined(__x86_64__)
#include "conv_vector.h"
#include "peak_shared.h"
#define CHAINS 6
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "peak_fast.h"
#pragma clang attribute pop

const quintet_peak_loops quintet_peak_avx2 = {peak_compute, peak_copy, peak_triad};
#endif
