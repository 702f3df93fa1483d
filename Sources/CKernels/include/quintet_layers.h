// Kernels of the layers beyond a U-Net's convolutions (quintet_network.h): activations, norms with an affine map,
// pooling, up-sampling, losses, dense layers, dropout and the sampling of a Gaussian latent, each with its gradient.
//
// Tensors are those of quintet_network.h, blocked or planar, volumes or flat: a sample is the whole volume, or one
// plane of a flat tensor. Each kernel has plain loops that judge it and a fast version that gives the same bits in each
// of its variants and for any number of threads. Gradients of parameters are added to what is there; gradients of
// tensors are written, or added where a parameter `accumulate` is not 0. Sizes are the caller's promise.
#ifndef QUINTET_LAYERS_H
#define QUINTET_LAYERS_H
#include <stddef.h>
#include <stdint.h>
#include "quintet_network.h"

/// What an operation treats value by value: a tensor, or plain memory.
typedef struct {
    quintet_layout layout;
    /// 0: the tensor of this layout; else so many floats of plain memory, whatever the layout says.
    size_t plain;
} quintet_elements;

/// Copies a tensor to plain [samples, C, H, W] (a volume: [1, C, D, H, W]), as a dense layer wants it, and back.
void quintet_samples_export(quintet_pool *pool, quintet_layout layout, const float *tensor, float *plain);
void quintet_samples_import(quintet_pool *pool, quintet_layout layout, const float *plain, float *tensor);

// Activations.

enum {
    QUINTET_IDENTITY = 0,
    /// max(x, 0); its derivative at 0 is 0, as PyTorch's.
    QUINTET_RELU = 1,
    /// x, or slope * x where x is not above 0.
    QUINTET_LEAKY_RELU = 2,
    /// x * sigmoid(x), and 0 below -QUINTET_SWISH_END.
    QUINTET_SWISH = 3,
    /// A leaky ReLU whose one slope is a parameter.
    QUINTET_PRELU = 4,
};

/// Where Swish and its derivative are below 2e-16, they are 0. Standardised weights make many values of -80 and less
/// (512 channels: standard deviation 68), of which the exact result, or its product with a gradient, is a denormal
/// number: a training step of the paper's restoring network then takes five times as long, in PyTorch as well.
#define QUINTET_SWISH_END 40.0f

typedef struct {
    /// QUINTET_IDENTITY, ...
    int32_t kind;
    /// Of a leaky ReLU.
    float slope;
} quintet_activation;

/// y = activation(x); y may be x. slope: PReLU's, NULL for the others.
void quintet_activate(quintet_pool *pool, quintet_elements elements, quintet_activation activation,
                      const float *slope, const float *x, float *y);
/// x_gradient = activation'(x) * y_gradient; x_gradient may be y_gradient. Of a ReLU, and of a leaky one with a slope
/// above 0, the result will do in x's place. slope_gradient [1] +=, PReLU's; else NULL.
void quintet_activate_gradient(quintet_pool *pool, quintet_elements elements, quintet_activation activation,
                               const float *slope, const float *x, const float *y_gradient, float *x_gradient,
                               float *slope_gradient);

// Group, instance, layer and batch norm with an affine map and an activation on either side:
// y = after((before(x) - mean) / sqrt(variance + 1e-5) * scale[c] + shift[c]).

typedef struct {
    quintet_layout layout;
    /// Each channels / groups neighbouring channels share their statistics; a divisor of the channels. As many as there
    /// are channels: instance norm, or batch norm; 1: layer norm.
    int32_t groups;
    /// 0: each sample has statistics of its own; 1: all samples share them (batch norm).
    int32_t batch;
    /// Recomputed from x where it is wanted, so its result is stored nowhere. No PReLU.
    quintet_activation before;
    quintet_activation after;
} quintet_affine_norm;

/// Floats of a norm's statistics: for each sample (or all) means [padded C], then 1/sqrt(variance + 1e-5) [padded C].
/// Those of one sample lie as quintet_norm_statistics writes them, so of an instance norm of a volume, or of a batch
/// norm, without an activation before, they may come from a convolution (quintet_result_statistics).
size_t quintet_affine_norm_floats(const quintet_affine_norm *norm);
/// Of x (biased variance).
void quintet_affine_norm_statistics(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                    float *statistics);
/// Batch norm's running mean [C] and variance [C] go towards the statistics by `momentum` (PyTorch: 0.1); the variance
/// by the unbiased one, the biased one where a channel has one voxel.
void quintet_affine_norm_running(const quintet_affine_norm *norm, const float *statistics, double momentum,
                                 float *running_mean, float *running_variance);
/// Statistics from a batch norm's running mean [C] and variance [C], for inference.
void quintet_affine_norm_frozen(const quintet_affine_norm *norm, const float *running_mean,
                                const float *running_variance, float *statistics);
/// y may be x. scale [C], NULL: ones; shift [C], NULL: zeros; slope: of a PReLU after the norm, else NULL.
void quintet_affine_norm_forward(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                 const float *statistics, const float *scale, const float *shift, const float *slope,
                                 float *y);
/// From y's gradient to x's, through the statistics too (which must be those of x); x_gradient may be y_gradient.
/// scale_gradient [C] +=, shift_gradient [C] += (each may be NULL); slope_gradient [1] +=, PReLU's; else NULL.
void quintet_affine_norm_gradient(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                  const float *statistics, const float *scale, const float *shift, const float *slope,
                                  const float *y_gradient, float *x_gradient, float *scale_gradient,
                                  float *shift_gradient, float *slope_gradient);

// Pooling and up-sampling by 1 or 2 along each axis.

/// Both sides have the same channels in the same parts, and both are blocked or both planar.
typedef struct {
    quintet_layout fine, coarse;
    /// 1 or 2; along depth 1 for flat tensors. Pooling: coarse size = floor(fine size / factor), what is left over
    /// takes no part. Up-sampling: fine size = coarse size * factor.
    int32_t depth_factor, height_factor, width_factor;
} quintet_resampling;

enum { QUINTET_MAXIMUM = 0, QUINTET_AVERAGE = 1 };
/// x fine, y coarse. kind: QUINTET_MAXIMUM or QUINTET_AVERAGE.
void quintet_pooling(quintet_pool *pool, const quintet_resampling *resampling, int kind, const float *x, float *y);
/// x: the forward pass' input, NULL for averages. Of several largest voxels the first in row order gets the gradient.
void quintet_pooling_gradient(quintet_pool *pool, const quintet_resampling *resampling, int kind, const float *x,
                              const float *y_gradient, float *x_gradient, int accumulate);

enum {
    QUINTET_NEAREST = 0,
    /// Bilinear or trilinear between the centres of voxels (PyTorch's align_corners = False).
    QUINTET_LINEAR = 1,
    /// Between positions at which the corner voxels coincide (align_corners = True).
    QUINTET_LINEAR_CORNERS = 2,
};
/// x coarse, y fine. kind: QUINTET_NEAREST, ...
void quintet_upsampling(quintet_pool *pool, const quintet_resampling *resampling, int kind, const float *x, float *y);
void quintet_upsampling_gradient(quintet_pool *pool, const quintet_resampling *resampling, int kind,
                                 const float *y_gradient, float *x_gradient, int accumulate);

// Losses. A gradient is that of scale * loss, and may be NULL.

/// Mean of |x - target|; the derivative at 0 is 0. gradient may be x.
void quintet_absolute_error(quintet_pool *pool, quintet_elements elements, const float *x, const float *target,
                            double scale, float *gradient, double *loss);
/// Mean of (x - target)^2. gradient may be x.
void quintet_square_error(quintet_pool *pool, quintet_elements elements, const float *x, const float *target,
                          double scale, float *gradient, double *loss);
/// Kullback-Leibler divergence of Gaussians N(mean, exp(log_variance)) from N(0, 1), summed over the latents and
/// divided by `divisor`: 1 for the sum, the number of latents for their mean. Both gradients are NULL or neither.
void quintet_gaussian_divergence(quintet_pool *pool, quintet_elements elements, const float *mean,
                                 const float *log_variance, double divisor, double scale, float *mean_gradient,
                                 float *log_variance_gradient, double *loss);

/// Focal loss with smoothed labels: the mean over voxels of -alpha[t] (1 - q)^gamma log q, where t is a voxel's class,
/// p = softmax(logits), q = sum_c h_c p_c + smooth, h_t = 1 - smooth and h_c = smooth / (C - 1) for the other classes.
typedef struct {
    /// Not below 0; 0: no label smoothing.
    double gamma, smooth;
    /// [C]; NULL: ones.
    const float *alpha;
} quintet_focal;
/// logits of two classes or more; target [D, H, W] class numbers below C (D: samples of a flat tensor). gradient may be
/// logits.
void quintet_focal_loss(quintet_pool *pool, quintet_layout layout, const float *logits, const uint8_t *target,
                        const quintet_focal *focal, double scale, float *gradient, quintet_loss_figures *figures);

// Dense layer on plain row-major memory: y [samples, outputs] = x [samples, inputs] weights^T + bias.

typedef struct {
    int32_t samples, inputs, outputs;
} quintet_dense;
/// weights [outputs, inputs], bias [outputs] or NULL.
void quintet_dense_forward(quintet_pool *pool, const quintet_dense *dense, const float *x, const float *weights,
                           const float *bias, float *y);
void quintet_dense_input_gradient(quintet_pool *pool, const quintet_dense *dense, const float *weights,
                                  const float *y_gradient, float *x_gradient);
/// weight_gradient [outputs, inputs] +=.
void quintet_dense_weight_gradient(quintet_pool *pool, const quintet_dense *dense, const float *x,
                                   const float *y_gradient, float *weight_gradient);
/// bias_gradient [outputs] +=.
void quintet_dense_bias_gradient(quintet_pool *pool, const quintet_dense *dense, const float *y_gradient,
                                 float *bias_gradient);

// Dropout and latents.

/// y = x / (1 - probability), or 0 where number `i` of quintet_philox_uniform(seed, stream) is below `probability`
/// (0 to below 1), with i an element's place in plain [C, D, H, W]. y may be x. The gradient is the same function of
/// y's gradient. stream: one for each layer and step.
void quintet_dropout(quintet_pool *pool, quintet_elements elements, uint64_t seed, uint64_t stream,
                     double probability, const float *x, float *y);

/// z = mean + exp(log_variance / 2) * noise; z may be any of them.
void quintet_gaussian_sample(quintet_pool *pool, quintet_elements elements, const float *mean,
                             const float *log_variance, const float *noise, float *z);
/// From z's gradient to those of mean and log_variance.
void quintet_gaussian_sample_gradient(quintet_pool *pool, quintet_elements elements, const float *log_variance,
                                      const float *noise, const float *z_gradient, float *mean_gradient,
                                      float *log_variance_gradient, int accumulate);
#endif
