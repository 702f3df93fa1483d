// The network's kernels compiled for AVX2; called only where the processor has it.
#if defined(__x86_64__)
#include "conv_layout.h"
#include "conv_vector.h"
#define ROWS_MAX 6
#define UNROLL 8
#define LANES 8
#define GRADIENT_CHANNELS 2
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "conv_direct.h"
#include "conv_planar.h"
#include "conv_winograd.h"
#include "conv_fast.h"
#include "norm_fast.h"
#include "loss_fast.h"
#pragma clang attribute pop

const quintet_kernels quintet_kernels_avx2 = {
    fast_convolve, fast_convolve_transposed, fast_transform_weights, fast_weight_gradient,
    fast_bias_gradient, fast_norm_statistics, fast_norm_activate, fast_norm_activate_gradient, fast_add, fast_dice_cross_entropy, fast_softmax, fast_adam,
};
#endif
