// The layers' kernels compiled for AVX2; called only where the processor has it.
#if defined(__x86_64__)
#include "conv_vector.h"
#include "layer_cut.h"
#include "layer_kernels.h"
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "layer_fast.h"
#pragma clang attribute pop

const quintet_layer_kernels quintet_layer_kernels_avx2 = {
#include "layer_table.h"
};
#endif
