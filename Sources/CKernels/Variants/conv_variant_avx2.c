// The network's kernels compiled for AVX2; called only where the processor has it.
#if defined(__x86_64__)
#include "conv_cut.h"
#include "conv_vector.h"
#define ROWS_MAX 6
#define UNROLL 8
#define LANES 8
#define GRADIENT_CHANNELS 2
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "conv_sums.h"
#include "conv_direct.h"
#include "conv_planar.h"
#include "conv_taps.h"
#include "conv_winograd.h"
#include "conv_parity.h"
#include "flat_winograd.h"
#include "flat_products.h"
#include "conv_pack.h"
#include "flat_mirror.h"
#include "norm_fast.h"
#include "conv_fast.h"
#include "loss_fast.h"
#pragma clang attribute pop

const quintet_kernels quintet_kernels_avx2 = {
    .convolve = fast_convolve,
    .convolve_transposed = fast_convolve_transposed,
    .pack_weights = fast_pack_weights,
    .weight_gradient = fast_weight_gradient,
    .mirror_gradient = fast_mirror_gradient,
    .bias_gradient = fast_bias_gradient,
    .norm_statistics = fast_norm_statistics,
    .norm_activate = fast_norm_activate,
    .norm_activate_gradient = fast_norm_activate_gradient,
    .add = fast_add,
    .dice_cross_entropy = fast_dice_cross_entropy,
    .softmax = fast_softmax,
    .adam = fast_adam,
};
#endif
