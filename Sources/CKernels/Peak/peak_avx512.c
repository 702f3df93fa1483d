// The yardsticks compiled for AVX512; called only where the processor has it.
#if defined(__x86_64__)
#include "conv_vector.h"
#include "peak_shared.h"
#define CHAINS 12
#define TARGET "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"
#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)
#include "peak_fast.h"
#pragma clang attribute pop

const quintet_peak_loops quintet_peak_avx512 = {peak_compute, peak_copy, peak_triad};
#endif
