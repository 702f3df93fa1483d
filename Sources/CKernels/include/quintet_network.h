// Kernels of the networks: convolutions and their gradients, instance norm with PReLU, the Dice + cross-entropy loss
// and Adam. Sources/CKernels/README.md says which kernel a convolution gets.
//
// A tensor lies in memory with a halo of one zero voxel on every side, in one of two layouts:
//   blocked  [ceil(C/16)][D+2][H+2][W+2][16]   16 channels are one cache line; channels beyond C are zero
//   planar   [C][D+2][H+2][W+2]                for the few channels of a network's input and output
// In a flat tensor the depth axis is a batch of 2D samples, so that it needs no halo: D planes instead of D+2.
// Kernels write interiors only, so a halo stays zero; quintet_mirror alone writes there. Every buffer is 64-byte
// aligned and has QUINTET_SLACK floats to spare. Every fast kernel gives the same bits in each of its variants and for
// any number of threads: the variants are one source, written in 16-lane vectors with explicit fused multiply-adds,
// compiled for several instruction sets.
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
    /// 1: the planes are the samples of a batch. There is no halo plane before the first nor behind the last, and no
    /// kernel reaches from one plane to the next.
    int32_t flat;
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

/// One number for each axis.
typedef struct { int32_t depth, height, width; } quintet_size3;

/// y = conv(x): `fine` is x, `coarse` is y, fine size = coarse size * stride on every axis. A transposed convolution is
/// the gradient of this one with respect to x, so its input is the coarse side. Weights: [coarse C, fine C, kernel
/// depth, height, width], which is PyTorch's layout for both kinds. Both sides are flat or neither is; of flat ones
/// kernel and stride are 1 in depth.
typedef struct {
    quintet_layout fine, coarse;
    /// 1 to 7 taps an axis, of which (kernel - 1) / 2 lie before the voxel itself; beyond the tensor are zeros.
    quintet_size3 kernel;
    quintet_size3 stride;
    /// 1: the halo of `fine` holds mirrored values in its planes (quintet_mirror), and they count; kernels up to 3 in
    /// the plane, stride 1. 0: it holds zeros. Of quintet_convolve_transposed's result it says nothing: what reached
    /// the halo is added by quintet_mirror_gradient.
    int32_t mirrored;
} quintet_convolution;

/// What is computed of a convolution: its result, the gradient of its input (or a transposed one's result), the
/// gradient of its weights.
enum { QUINTET_FORWARD = 0, QUINTET_TRANSPOSED = 1, QUINTET_WEIGHT_GRADIENT = 2 };

/// How an operation of a convolution is computed: by its shapes, the same on every instruction set.
typedef enum {
    /// Plain loops, for shapes that no fast kernel takes.
    QUINTET_PLAIN,
    QUINTET_DIRECT,
    /// Tiles at stride 1; so few of them that the weights are transformed where they are used; tiles at stride 2.
    QUINTET_WINOGRAD, QUINTET_FEW_TILES, QUINTET_PARITY,
    /// From or to the planar tensors of a network's input and output; the second one turns its rows round.
    QUINTET_PLANAR_TO_BLOCKED, QUINTET_TURNED_ROWS,
    /// Between planar tensors.
    QUINTET_PLANAR,
    /// Of flat tensors. A matrix product for each tap, where taps do not overlap. Tiles of a plane, each task all
    /// channels of some of them; with many channels each task one point of all tiles: its weights are read once.
    QUINTET_FLAT_PRODUCTS, QUINTET_FLAT_TILES, QUINTET_FLAT_POINTS,
    /// From blocks to the planar tensor of a network's output.
    QUINTET_BLOCKED_TO_PLANAR,
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
/// gradient [coarse C, fine C, kernel depth, height, width] += sum over voxels of x * yGradient; scratch from
/// quintet_gradient_scratch.
void quintet_weight_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                             const float *y_gradient, float *scratch, float *gradient);
size_t quintet_gradient_scratch(const quintet_convolution *convolution);

/// Writes the halo of every plane, edges and corners: what stands beyond an edge is what stands as far before it, the
/// edge itself apart (PyTorch's ReflectionPad2d(1)). Height and width are at least 2.
void quintet_mirror(quintet_pool *pool, quintet_layout layout, float *x);
/// Writes zeros there, for whoever uses the memory next.
void quintet_clear_halo(quintet_pool *pool, quintet_layout layout, float *x);
/// Behind quintet_convolve_transposed of a mirrored convolution of flat tensors (kernel 3, stride 1 in the plane): adds
/// to x's gradient what reached x's halo, where that was mirrored from. weights: as they are, not packed.
void quintet_mirror_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *y_gradient,
                             const float *weights, float *x_gradient);

/// Weight standardisation as the liver paper's program has it: each of `rows` output channels' `count` weights minus
/// their mean, over (their standard deviation with count - 1, plus 1e-5). count is at least 2.
void quintet_standardise_weights(quintet_pool *pool, int32_t rows, int32_t count, const float *weights,
                                 float *standardised);
/// gradient [rows, count] += the gradient of `weights`, from the gradient of the standardised ones.
void quintet_standardise_weights_gradient(quintet_pool *pool, int32_t rows, int32_t count, const float *weights,
                                          const float *standardised_gradient, float *gradient);

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
