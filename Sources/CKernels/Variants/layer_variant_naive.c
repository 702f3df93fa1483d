// The judge of the layers' fast kernels: the definitions, as plain loops that add in double, on the caller's thread.
#include <math.h>
#include <string.h>
#include "layer_cut.h"
#include "layer_kernels.h"
#include "quintet_philox.h"
#include "layer_loops.h"
#include "activation_naive.h"
#include "affine_norm_naive.h"
#include "pooling_naive.h"
#include "upsampling_naive.h"
#include "element_loss_naive.h"
#include "focal_naive.h"
#include "dense_naive.h"
#include "dropout_naive.h"
#include "latent_naive.h"

const quintet_layer_kernels quintet_layer_kernels_naive = {
    .activate = naive_activate,
    .activate_gradient = naive_activate_gradient,
    .affine_norm_statistics = naive_affine_norm_statistics,
    .affine_norm_forward = naive_affine_norm_forward,
    .affine_norm_gradient = naive_affine_norm_gradient,
    .pool_maximum = naive_pool_maximum,
    .pool_maximum_gradient = naive_pool_maximum_gradient,
    .sum_fine = naive_sum_fine,
    .spread_coarse = naive_spread_coarse,
    .upsample_linear = naive_upsample_linear,
    .upsample_linear_gradient = naive_upsample_linear_gradient,
    .element_error = naive_element_error,
    .gaussian_divergence = naive_gaussian_divergence,
    .focal_loss = naive_focal_loss,
    .dense_forward = naive_dense_forward,
    .dense_input_gradient = naive_dense_input_gradient,
    .dense_weight_gradient = naive_dense_weight_gradient,
    .dense_bias_gradient = naive_dense_bias_gradient,
    .dropout = naive_dropout,
    .gaussian_sample = naive_gaussian_sample,
    .gaussian_sample_gradient = naive_gaussian_sample_gradient,
};
