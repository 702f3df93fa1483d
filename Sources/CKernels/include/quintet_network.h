// Kernels of the network (paper A3, MONAI's UNet): 3x3x3 and 1x1x1 convolutions and their gradients, instance norm
// with PReLU, the Dice + cross-entropy loss and Adam.
//
// A tensor lies in memory with a halo of one zero voxel on every side, in one of two layouts:
//   blocked  [ceil(C/16)][D+2][H+2][W+2][16]   16 channels are one cache line; channels beyond C are zero
//   planar   [C][D+2][H+2][W+2]                for the few channels of a network's input and output
// Kernels write interiors only, so a halo stays zero. Every buffer is 64-byte aligned and has QUINTET_SLACK floats to
// spare. Every fast kernel gives the same bits in each of its variants and for any number of threads: the variants are
// one source, written in 16-lane vectors with explicit fused multiply-adds, compiled for several instruction sets.
#ifndef QUINTET_NETWORK_H
#define QUINTET_NETWORK_H
#include <stddef.h>
#include <stdint.h>
#include "quintet_pool.h"

/// Floats behind every planar tensor that a vector load may touch.
#define QUINTET_SLACK 64

typedef struct {
    int32_t channels, depth, height, width;
    /// 1: planar, 0: blocked.
    int32_t planar;
    /// Channels of the first of two parts that lie one after the other, each padded to 16; 0: one part.
    int32_t split;
    /// Blocks that lie between the two parts, negative where the second lies first: they may be tensors of one size
    /// anywhere in one piece of memory.
    int32_t gap;
} quintet_layout;

/// Floats a tensor takes from its first part on, slack included.
size_t quintet_layout_floats(quintet_layout layout);

/// Copies between a tensor and plain [C, D, H, W]; `plain` may be smaller than the tensor (offset 0, the rest of the
/// tensor's interior is set to zero by the import and skipped by the export).
void quintet_import(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                    const float *plain, float *tensor);
void quintet_export(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                    const float *tensor, float *plain);

/// Writes `value` `count` times.
void quintet_fill(quintet_pool *pool, size_t count, float value, float *to);

/// y = conv(x): `fine` is x, `coarse` is y, fine size = coarse size * stride. A transposed convolution is the
/// gradient of this one with respect to x, so its input is the coarse side. Weights: [coarse C, fine C, k, k, k], which
/// is PyTorch's layout for both kinds. kernel is 1 or 3 (padding 0 or 1).
typedef struct {
    quintet_layout fine, coarse;
    int32_t kernel, stride;
} quintet_convolution;

/// What is computed of a convolution: its result, the gradient of its input (or a transposed one's result), the
/// gradient of its weights.
enum { QUINTET_FORWARD = 0, QUINTET_TRANSPOSED = 1, QUINTET_WEIGHT_GRADIENT = 2 };

/// How an operation of a convolution is computed: by its shapes, the same on every instruction set.
typedef enum {
    /// Plain loops, for shapes that no network here has.
    QUINTET_PLAIN,
    QUINTET_DIRECT,
    /// Tiles at stride 1; so few of them that the weights are transformed where they are used; tiles at stride 2.
    QUINTET_WINOGRAD, QUINTET_FEW_TILES, QUINTET_PARITY,
    /// From or to the planar tensors of a network's input and output; the second one turns its rows round.
    QUINTET_PLANAR_TO_BLOCKED, QUINTET_TURNED_ROWS,
    /// Between planar tensors.
    QUINTET_PLANAR,
} quintet_algorithm;
/// The algorithm that an operation (QUINTET_FORWARD, ...) of this convolution gets; the kernels ask this very function.
quintet_algorithm quintet_algorithm_of(const quintet_convolution *convolution, int operation);
/// 1 where a result's statistics are summed up while it is written, 0 where it is read again for them.
int quintet_result_is_summed(const quintet_convolution *convolution, int direction);
/// Parts in which the sums of a weight gradient are made before they are added up.
int quintet_gradient_slots(const quintet_convolution *convolution);

/// Packed weights of one direction, in floats, and the packing. Which packing a kernel wants depends on shapes (and on
/// whether the naive kernels are forced), never on the machine. 0 floats: the weights are wanted as they are.
size_t quintet_packed_floats(const quintet_convolution *convolution, int direction);
void quintet_pack_weights(quintet_pool *pool, const quintet_convolution *convolution, int direction,
                          const float *weights, float *packed);

/// What the norm behind a convolution wants to know of its result, summed up while that is written.
typedef struct {
    /// Of the result, or of the first of its two parts.
    quintet_layout layout;
    /// Written as by quintet_norm_statistics.
    float *statistics;
    /// quintet_result_scratch doubles.
    double *scratch;
} quintet_result_statistics;

/// y = conv(x) + bias, or y += conv(x) + bias when accumulate is not 0. bias: [coarse C] or NULL. statistics may be
/// NULL.
void quintet_convolve(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                      const float *packed, const float *bias, float *y, int accumulate,
                      const quintet_result_statistics *statistics);
/// x = conv^T(y) + bias: the gradient with respect to x, and a transposed convolution's forward. bias: [fine C] or
/// NULL.
void quintet_convolve_transposed(quintet_pool *pool, const quintet_convolution *convolution, const float *y,
                                 const float *packed, const float *bias, float *x, int accumulate,
                                 const quintet_result_statistics *statistics);
/// Doubles of scratch for the statistics of a result in one direction.
size_t quintet_result_scratch(const quintet_convolution *convolution, int direction, quintet_layout result);
/// gradient [coarse C, fine C, k, k, k] += sum over voxels of x * yGradient; scratch from quintet_gradient_scratch.
void quintet_weight_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                             const float *y_gradient, float *scratch, float *gradient);
size_t quintet_gradient_scratch(const quintet_convolution *convolution);

/// Doubles of scratch that the reductions below need for a tensor (and the loss, with its C classes).
size_t quintet_sum_scratch(quintet_layout layout);

/// gradient [C] += sum over voxels.
void quintet_bias_gradient(quintet_pool *pool, quintet_layout layout, const float *y_gradient, double *scratch,
                           float *gradient);

/// Mean and 1/sqrt(variance + 1e-5) of every channel (biased variance): statistics [2, padded C].
void quintet_norm_statistics(quintet_pool *pool, quintet_layout layout, const float *x, double *scratch,
                             float *statistics);
/// Floats of `statistics`: two for each padded channel.
size_t quintet_statistics_floats(quintet_layout layout);
/// y = PReLU(norm(x)) + residual; residual may be NULL or y itself.
void quintet_norm_activate(quintet_pool *pool, quintet_layout layout, const float *x, const float *statistics,
                           const float *slope, const float *residual, float *y);
/// From the gradient of PReLU(norm(x)) to the gradient of x; slope_gradient [1] +=. x_gradient may be y_gradient.
void quintet_norm_activate_gradient(quintet_pool *pool, quintet_layout layout, const float *x,
                                    const float *statistics, const float *slope, const float *y_gradient,
                                    double *scratch, float *x_gradient, float *slope_gradient);
/// y += x.
void quintet_add(quintet_pool *pool, quintet_layout layout, const float *x, float *y);

typedef struct {
    /// Dice loss + cross-entropy of this sample.
    double loss;
    /// Voxels where class 1 has the largest logit and is the target; where it has the largest; where it is the target.
    int64_t intersection, predicted, truth;
} quintet_loss_figures;

/// MONAI's DiceCELoss(to_onehot_y, softmax): Dice over all classes (smooth 1e-5, mean over classes) plus mean
/// cross-entropy. target: [D, H, W] class numbers below C. gradient = scale * d loss / d logits.
void quintet_dice_cross_entropy(quintet_pool *pool, quintet_layout layout, const float *logits,
                                const uint8_t *target, double scale, double *scratch, float *gradient,
                                quintet_loss_figures *figures);
/// probability [D, H, W] (plain, the size given) = softmax(logits)[chosen].
void quintet_softmax(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                     const float *logits, int32_t chosen, float *probability);

/// One Adam step in PyTorch's arithmetic (lerp, addcmul, addcdiv); step counts from 1. The constants are doubles, as
/// PyTorch's are: 1 - beta2 of floats is wrong in the fifth digit.
void quintet_adam(quintet_pool *pool, size_t count, double learning_rate, double beta1, double beta2, double epsilon,
                  int64_t step, const float *gradient, float *mean, float *square, float *weights);

/// The instruction sets the kernels are compiled for, and the plain loops that judge them.
enum { QUINTET_NAIVE = 0, QUINTET_PORTABLE = 1, QUINTET_AVX2 = 2, QUINTET_AVX512 = 3 };
int quintet_variant_available(int variant);
/// The best available one unless this thread has forced another. Naive kernels differ in bits (they add in double).
int quintet_variant_current(void);
void quintet_variant_force(int variant);
void quintet_variant_release(void);
/// 1: this thread's operations keep to the direct kernels (for judging Winograd's rounding), 0: as the shapes ask.
void quintet_winograd_forbid(int forbidden);
/// For the whole process, before its first network: a variant (-1: the best available one), and 1 to keep to the direct
/// kernels. What a thread forces goes before it.
void quintet_variant_prefer(int variant, int direct);
#endif
