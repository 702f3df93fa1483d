// Layers' kernels by the instruction set, and what all variants have in common.
#include <math.h>
#include <string.h>
#include "layer_cut.h"
#include "layer_kernels.h"

static const quintet_layer_kernels *kernels(void) {
    switch (quintet_variant_current()) {
    case QUINTET_NAIVE: return &quintet_layer_kernels_naive;
#if defined(__x86_64__)
    case QUINTET_AVX2: return &quintet_layer_kernels_avx2;
    case QUINTET_AVX512: return &quintet_layer_kernels_avx512;
#endif
    default: return &quintet_layer_kernels_portable;
    }
}

typedef struct {
    quintet_layout layout;
    const float *from;
    float *to;
    // From or to the tensor.
    int importing;
} sample_job;

static void sample_task(void *context, int index) {
    const sample_job *job = context;
    quintet_layout layout = job->layout;
    int c = index / layout.depth, d = index % layout.depth, step = layer_lanes(layout);
    // [samples, C, H, W], or [C, D, H, W] of a volume.
    long plane = layout.flat ? (long)d * layout.channels + c : (long)c * layout.depth + d;
    for (int h = 0; h < layout.height; h++) {
        long plain = (plane * layout.height + h) * layout.width, own = quintet_element(layout, c, d, h, 0);
        for (int w = 0; w < layout.width; w++) {
            if (job->importing) job->to[own + (long)w * step] = job->from[plain + w];
            else job->to[plain + w] = job->from[own + (long)w * step];
        }
    }
}

void quintet_samples_export(quintet_pool *pool, quintet_layout layout, const float *tensor, float *plain) {
    sample_job job = {layout, tensor, plain, 0};
    quintet_pool_run(pool, layout.channels * layout.depth, sample_task, &job);
}
void quintet_samples_import(quintet_pool *pool, quintet_layout layout, const float *plain, float *tensor) {
    sample_job job = {layout, plain, tensor, 1};
    quintet_pool_run(pool, layout.channels * layout.depth, sample_task, &job);
}

// A PReLU is a leaky ReLU with its parameter.
static quintet_activation with_slope(quintet_activation activation, const float *slope) {
    if (activation.kind == QUINTET_PRELU) activation.slope = *slope;
    return activation;
}

void quintet_activate(quintet_pool *pool, quintet_elements elements, quintet_activation activation,
                      const float *slope, const float *x, float *y) {
    kernels()->activate(pool, elements, with_slope(activation, slope), x, y);
}
void quintet_activate_gradient(quintet_pool *pool, quintet_elements elements, quintet_activation activation,
                               const float *slope, const float *x, const float *y_gradient, float *x_gradient,
                               float *slope_gradient) {
    activation = with_slope(activation, slope);
    double own = kernels()->activate_gradient(pool, elements, activation, x, y_gradient, x_gradient);
    if (activation.kind == QUINTET_PRELU) *slope_gradient += (float)own;
}

void quintet_affine_norm_statistics(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                    float *statistics) {
    memset(statistics, 0, sizeof(float) * quintet_affine_norm_floats(norm));
    kernels()->affine_norm_statistics(pool, norm, x, statistics);
}
void quintet_affine_norm_forward(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                 const float *statistics, const float *scale, const float *shift, const float *slope,
                                 float *y) {
    quintet_affine_norm own = *norm;
    own.after = with_slope(own.after, slope);
    kernels()->affine_norm_forward(pool, &own, x, statistics, scale, shift, y);
}
void quintet_affine_norm_gradient(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                  const float *statistics, const float *scale, const float *shift, const float *slope,
                                  const float *y_gradient, float *x_gradient, float *scale_gradient,
                                  float *shift_gradient, float *slope_gradient) {
    quintet_affine_norm own = *norm;
    own.after = with_slope(own.after, slope);
    double slopes = kernels()->affine_norm_gradient(pool, &own, x, statistics, scale, shift, y_gradient, x_gradient,
                                                    scale_gradient, shift_gradient);
    if (own.after.kind == QUINTET_PRELU) *slope_gradient += (float)slopes;
}

static float pooled_share(const quintet_resampling *resampling) {
    return 1.0f / (float)(resampling->depth_factor * resampling->height_factor * resampling->width_factor);
}

void quintet_pooling(quintet_pool *pool, const quintet_resampling *resampling, int kind, const float *x, float *y) {
    if (kind == QUINTET_MAXIMUM) kernels()->pool_maximum(pool, resampling, x, y);
    else kernels()->sum_fine(pool, resampling, pooled_share(resampling), x, y, 0);
}
void quintet_pooling_gradient(quintet_pool *pool, const quintet_resampling *resampling, int kind, const float *x,
                              const float *y_gradient, float *x_gradient, int accumulate) {
    if (kind == QUINTET_MAXIMUM)
        kernels()->pool_maximum_gradient(pool, resampling, x, y_gradient, x_gradient, accumulate);
    else kernels()->spread_coarse(pool, resampling, pooled_share(resampling), y_gradient, x_gradient, accumulate);
}

void quintet_upsampling(quintet_pool *pool, const quintet_resampling *resampling, int kind, const float *x, float *y) {
    if (kind == QUINTET_NEAREST) kernels()->spread_coarse(pool, resampling, 1, x, y, 0);
    else kernels()->upsample_linear(pool, resampling, kind == QUINTET_LINEAR_CORNERS, x, y);
}
void quintet_upsampling_gradient(quintet_pool *pool, const quintet_resampling *resampling, int kind,
                                 const float *y_gradient, float *x_gradient, int accumulate) {
    int corners = kind == QUINTET_LINEAR_CORNERS;
    if (kind == QUINTET_NEAREST) kernels()->sum_fine(pool, resampling, 1, y_gradient, x_gradient, accumulate);
    else kernels()->upsample_linear_gradient(pool, resampling, corners, y_gradient, x_gradient, accumulate);
}

static void element_error(quintet_pool *pool, quintet_elements elements, int square, const float *x,
                          const float *target, double scale, float *gradient, double *loss) {
    double count = layer_element_count(elements);
    *loss = kernels()->element_error(pool, elements, square, x, target, scale / count, gradient) / count;
}
void quintet_absolute_error(quintet_pool *pool, quintet_elements elements, const float *x, const float *target,
                            double scale, float *gradient, double *loss) {
    element_error(pool, elements, 0, x, target, scale, gradient, loss);
}
void quintet_square_error(quintet_pool *pool, quintet_elements elements, const float *x, const float *target,
                          double scale, float *gradient, double *loss) {
    element_error(pool, elements, 1, x, target, scale, gradient, loss);
}
void quintet_gaussian_divergence(quintet_pool *pool, quintet_elements elements, const float *mean,
                                 const float *log_variance, double divisor, double scale, float *mean_gradient,
                                 float *log_variance_gradient, double *loss) {
    *loss = kernels()->gaussian_divergence(pool, elements, mean, log_variance, scale / divisor, mean_gradient,
                                           log_variance_gradient) / divisor;
}
void quintet_focal_loss(quintet_pool *pool, quintet_layout layout, const float *logits, const uint8_t *target,
                        const quintet_focal *focal, double scale, float *gradient, quintet_loss_figures *figures) {
    kernels()->focal_loss(pool, layout, logits, target, focal, scale, gradient, figures);
}

void quintet_dense_forward(quintet_pool *pool, const quintet_dense *dense, const float *x, const float *weights,
                           const float *bias, float *y) {
    kernels()->dense_forward(pool, dense, x, weights, bias, y);
}
void quintet_dense_input_gradient(quintet_pool *pool, const quintet_dense *dense, const float *weights,
                                  const float *y_gradient, float *x_gradient) {
    kernels()->dense_input_gradient(pool, dense, weights, y_gradient, x_gradient);
}
void quintet_dense_weight_gradient(quintet_pool *pool, const quintet_dense *dense, const float *x,
                                   const float *y_gradient, float *weight_gradient) {
    kernels()->dense_weight_gradient(pool, dense, x, y_gradient, weight_gradient);
}
void quintet_dense_bias_gradient(quintet_pool *pool, const quintet_dense *dense, const float *y_gradient,
                                 float *bias_gradient) {
    kernels()->dense_bias_gradient(pool, dense, y_gradient, bias_gradient);
}

void quintet_dropout(quintet_pool *pool, quintet_elements elements, uint64_t seed, uint64_t stream,
                     double probability, const float *x, float *y) {
    kernels()->dropout(pool, elements, seed, stream, probability, x, y);
}
void quintet_gaussian_sample(quintet_pool *pool, quintet_elements elements, const float *mean,
                             const float *log_variance, const float *noise, float *z) {
    kernels()->gaussian_sample(pool, elements, mean, log_variance, noise, z);
}
void quintet_gaussian_sample_gradient(quintet_pool *pool, quintet_elements elements, const float *log_variance,
                                      const float *noise, const float *z_gradient, float *mean_gradient,
                                      float *log_variance_gradient, int accumulate) {
    kernels()->gaussian_sample_gradient(pool, elements, log_variance, noise, z_gradient, mean_gradient,
                                        log_variance_gradient, accumulate);
}
