// The table of the layers' kernels (quintet_layers.h), one for each variant. Internal.
#ifndef QUINTET_LAYER_KERNELS_H
#define QUINTET_LAYER_KERNELS_H
#include "quintet_layers.h"

typedef struct {
    void (*activate)(quintet_pool *, quintet_elements, quintet_activation, const float *, float *);
    /// Returns the slope's gradient.
    double (*activate_gradient)(quintet_pool *, quintet_elements, quintet_activation, const float *, const float *,
                                float *);
    void (*affine_norm_statistics)(quintet_pool *, const quintet_affine_norm *, const float *, float *);
    /// The norm's `after` has PReLU's slope in it.
    void (*affine_norm_forward)(quintet_pool *, const quintet_affine_norm *, const float *, const float *,
                                const float *, const float *, float *);
    /// Returns the slope's gradient.
    double (*affine_norm_gradient)(quintet_pool *, const quintet_affine_norm *, const float *, const float *,
                                   const float *, const float *, const float *, float *, float *, float *);
    void (*pool_maximum)(quintet_pool *, const quintet_resampling *, const float *, float *);
    void (*pool_maximum_gradient)(quintet_pool *, const quintet_resampling *, const float *, const float *, float *,
                                  int);
    /// coarse = share * the sum of its fine voxels, and fine = share * its coarse voxel (0 where it has none).
    void (*sum_fine)(quintet_pool *, const quintet_resampling *, float, const float *, float *, int);
    void (*spread_coarse)(quintet_pool *, const quintet_resampling *, float, const float *, float *, int);
    void (*upsample_linear)(quintet_pool *, const quintet_resampling *, int, const float *, float *);
    void (*upsample_linear_gradient)(quintet_pool *, const quintet_resampling *, int, const float *, float *, int);
    /// square: 0 for |x - target|, 1 for its square. Returns the sum over elements; `factor` goes into the gradient.
    double (*element_error)(quintet_pool *, quintet_elements, int, const float *, const float *, double, float *);
    double (*gaussian_divergence)(quintet_pool *, quintet_elements, const float *, const float *, double, float *,
                                  float *);
    void (*focal_loss)(quintet_pool *, quintet_layout, const float *, const uint8_t *, const quintet_focal *, double,
                       float *, quintet_loss_figures *);
    void (*dense_forward)(quintet_pool *, const quintet_dense *, const float *, const float *, const float *, float *);
    void (*dense_input_gradient)(quintet_pool *, const quintet_dense *, const float *, const float *, float *);
    void (*dense_weight_gradient)(quintet_pool *, const quintet_dense *, const float *, const float *, float *);
    void (*dense_bias_gradient)(quintet_pool *, const quintet_dense *, const float *, float *);
    void (*dropout)(quintet_pool *, quintet_elements, uint64_t, uint64_t, double, const float *, float *);
    void (*gaussian_sample)(quintet_pool *, quintet_elements, const float *, const float *, const float *, float *);
    void (*gaussian_sample_gradient)(quintet_pool *, quintet_elements, const float *, const float *, const float *,
                                     float *, float *, int);
} quintet_layer_kernels;

extern const quintet_layer_kernels quintet_layer_kernels_naive, quintet_layer_kernels_portable;
#if defined(__x86_64__)
extern const quintet_layer_kernels quintet_layer_kernels_avx2, quintet_layer_kernels_avx512;
#endif
#endif
