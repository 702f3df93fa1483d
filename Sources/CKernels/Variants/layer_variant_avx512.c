// The layers' kernels compiled for AVX512; called only where the processor has it.
#if defined(__x86_64__)
#include "conv_vector.h"
#include "layer_cut.h"
#include "layer_kernels.h"
#define TARGET "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"
#pragma clang attribute push(__attribute__((target(TARGET))), apply_to = function)
#include "layer_fast.h"
#pragma clang attribute pop

const quintet_layer_kernels quintet_layer_kernels_avx512 = {
#include "layer_table.h"
};
#endif
