// Which kernel runs: the algorithm by shape, the instruction set by processor; what they have in common (sizes,
// packing, copies in and out).
#include "conv_cut.h"
#include <string.h>

// Of this thread alone, so that a test that forces a variant disturbs none beside it: kernels are chosen by the thread
// that calls an operation, not by those that help it.
static _Thread_local int forced = -1;
static _Thread_local int direct_only;
// What the whole process was asked to use; written once, before the first network is made.
static int preferred = -1, preferred_direct;

int quintet_variant_available(int variant) {
    switch (variant) {
    case QUINTET_NAIVE: case QUINTET_PORTABLE: return 1;
#if defined(__x86_64__)
    case QUINTET_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case QUINTET_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
               && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#endif
    default: return 0;
    }
}

int quintet_variant_current(void) {
    int variant = forced >= 0 ? forced : preferred;
    if (variant >= 0) return variant;
    for (variant = QUINTET_AVX512; !quintet_variant_available(variant);) variant--;
    return variant;
}

void quintet_variant_force(int variant) {
    if (quintet_variant_available(variant)) forced = variant;
}
void quintet_variant_release(void) { forced = -1; }
void quintet_winograd_forbid(int forbidden) { direct_only = forbidden; }
void quintet_variant_prefer(int variant, int direct) {
    preferred = quintet_variant_available(variant) ? variant : -1;
    preferred_direct = direct;
}

static const quintet_kernels *kernels(void) {
    switch (quintet_variant_current()) {
    case QUINTET_NAIVE: return &quintet_kernels_naive;
#if defined(__x86_64__)
    case QUINTET_AVX2: return &quintet_kernels_avx2;
    case QUINTET_AVX512: return &quintet_kernels_avx512;
#endif
    default: return &quintet_kernels_portable;
    }
}

size_t quintet_layout_floats(quintet_layout layout) {
    long blocks = layout.planar ? layout.channels : quintet_blocks(layout) + (layout.gap > 0 ? layout.gap : 0);
    return (size_t)(blocks * quintet_steps_of(layout).block + (layout.planar ? QUINTET_SLACK : 0) + 15) / 16 * 16;
}

quintet_plan quintet_plan_of(const quintet_convolution *convolution) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    if (convolution->stride > 2) return PLAN_NAIVE;
    if (!fine.planar && !coarse.planar) return PLAN_BLOCKED;
    if (fine.channels > PLANAR_CHANNELS_MAX) return PLAN_NAIVE;
    if (!coarse.planar) return quintet_blocks(coarse) <= PLANAR_BLOCKS_MAX ? PLAN_PLANAR_TO_BLOCKED : PLAN_NAIVE;
    int small = coarse.channels <= PLANAR_CHANNELS_MAX && fine.planar;
    return small && convolution->kernel == 3 && convolution->stride == 1 ? PLAN_PLANAR : PLAN_NAIVE;
}

// Winograd's tiles may reach over the end by half of what they compute, and every point's weights must serve a few
// tiles.
static int winograd_suits(const quintet_convolution *convolution, int tiles_wanted) {
    quintet_layout layout = convolution->coarse;
    long tiles = quintet_winograd_tiles(layout), voxels = (long)layout.depth * layout.height * layout.width;
    int fine = quintet_blocks(convolution->fine), coarse = quintet_blocks(layout);
    return !direct_only && !preferred_direct && quintet_plan_of(convolution) == PLAN_BLOCKED && convolution->kernel == 3
           && fine <= WINOGRAD_BLOCKS_MAX && coarse <= WINOGRAD_BLOCKS_MAX
           && tiles * 32 * 2 <= voxels * 3 && tiles >= tiles_wanted;
}

int quintet_uses_winograd(const quintet_convolution *convolution) {
    int pairs = quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse);
    return winograd_suits(convolution, quintet_winograd_has_few_tiles(convolution) ? 2 : pairs / 16);
}

int quintet_uses_winograd_gradient(const quintet_convolution *convolution) {
    return winograd_suits(convolution, quintet_winograd_has_few_tiles(convolution) ? 4 : 64);
}

quintet_algorithm quintet_algorithm_of(const quintet_convolution *convolution, int operation) {
    int gradient = operation == QUINTET_WEIGHT_GRADIENT;
    switch (quintet_plan_of(convolution)) {
    case PLAN_NAIVE: return QUINTET_PLAIN;
    case PLAN_PLANAR: return QUINTET_PLANAR;
    case PLAN_PLANAR_TO_BLOCKED:
        return operation == QUINTET_TRANSPOSED && quintet_uses_turned_rows(convolution) ? QUINTET_TURNED_ROWS
                                                                                        : QUINTET_PLANAR_TO_BLOCKED;
    case PLAN_BLOCKED: break;
    }
    if (!(gradient ? quintet_uses_winograd_gradient(convolution) : quintet_uses_winograd(convolution)))
        return QUINTET_DIRECT;
    if (convolution->stride == 2) return QUINTET_PARITY;
    return quintet_winograd_has_few_tiles(convolution) ? QUINTET_FEW_TILES : QUINTET_WINOGRAD;
}

int quintet_result_is_summed(const quintet_convolution *convolution, int direction) {
    return quintet_result_slots(convolution, direction) > 0;
}

int quintet_gradient_slots(const quintet_convolution *convolution) {
    int rows = convolution->coarse.depth * convolution->coarse.height, slots = 64;
    switch (quintet_plan_of(convolution)) {
    case PLAN_NAIVE: return 1;
    case PLAN_BLOCKED:
        if (quintet_uses_winograd_gradient(convolution)) {
            if (quintet_winograd_has_few_tiles(convolution)) return 1;
            // The sums of a slot are 144 blocks for each pair: fewer slots where there are many pairs.
            int pairs = quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse);
            int tiles = quintet_winograd_tiles(convolution->coarse), most = pairs <= 2 ? 32 : pairs <= 8 ? 16 : 4;
            // With the points of stride 2 beside them, the sums of more slots leave the cache.
            if (convolution->stride == 2 && most > 8) most = 8;
            return tiles / 16 < most ? (tiles + 15) / 16 : most;
        }
        slots = 64 / (quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse));
        break;
    case PLAN_PLANAR_TO_BLOCKED: slots = 64 / quintet_blocks(convolution->coarse); break;
    case PLAN_PLANAR: break;
    }
    if (slots > rows) slots = rows;
    return slots < 1 ? 1 : slots;
}

size_t quintet_gradient_scratch(const quintet_convolution *convolution) {
    const int k = convolution->kernel;
    long unit, fine_blocks = quintet_blocks(convolution->fine), coarse_blocks = quintet_blocks(convolution->coarse);
    switch (quintet_plan_of(convolution)) {
    case PLAN_NAIVE: return 16;
    case PLAN_BLOCKED:
        unit = fine_blocks * coarse_blocks * 256;
        if (quintet_uses_winograd_gradient(convolution) && quintet_winograd_has_few_tiles(convolution))
            return (fine_blocks + coarse_blocks) * quintet_winograd_block(quintet_winograd_tiles(convolution->coarse));
        if (quintet_uses_winograd_gradient(convolution)) return unit * 144 * quintet_gradient_slots(convolution);
        break;
    case PLAN_PLANAR_TO_BLOCKED: unit = (long)convolution->fine.channels * coarse_blocks * 16; break;
    case PLAN_PLANAR: unit = (long)convolution->fine.channels * convolution->coarse.channels * 16; break;
    }
    return (size_t)(unit * k * k * k) * quintet_gradient_slots(convolution);
}

size_t quintet_packed_floats(const quintet_convolution *convolution, int direction) {
    const int k = convolution->kernel;
    size_t taps = (size_t)k * k * k, raw = taps * convolution->fine.channels * convolution->coarse.channels;
    size_t packed = raw;
    size_t fine_blocks = quintet_blocks(convolution->fine), coarse_blocks = quintet_blocks(convolution->coarse);
    (void)direction;
    switch (quintet_plan_of(convolution)) {
    case PLAN_NAIVE: case PLAN_PLANAR: break;
    case PLAN_BLOCKED:
        packed = fine_blocks * coarse_blocks * taps * 256;
        if (quintet_uses_winograd(convolution) && quintet_winograd_has_few_tiles(convolution)) return 0;
        if (quintet_uses_winograd(convolution))
            packed = 144 * quintet_winograd_step((int)fine_blocks, (int)coarse_blocks);
        break;
    case PLAN_PLANAR_TO_BLOCKED: packed = convolution->fine.channels * coarse_blocks * taps * 16; break;
    }
    // The naive kernels, when forced, want the weights as they are.
    return ((packed > raw ? packed : raw) + 15) / 16 * 16;
}

typedef struct {
    const quintet_convolution *convolution;
    int direction;
    const float *weights;
    float *packed;
    quintet_plan plan;
} pack_job;

static void pack_task(void *context, int o) {
    const pack_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int k = job->convolution->kernel, taps = k * k * k, ins = fine.channels;
    int place = quintet_padded(coarse, o);
    for (int i = 0; i < ins; i++) {
        const float *from = job->weights + ((long)o * ins + i) * taps;
        if (job->plan == PLAN_PLANAR) {
            // The gradient is a convolution with the taps turned round and the channels exchanged.
            float *to = job->packed + ((long)i * coarse.channels + o) * taps;
            for (int t = 0; t < taps; t++) to[t] = from[taps - 1 - t];
            continue;
        }
        int forward = job->direction == QUINTET_FORWARD;
        long group = forward ? (long)(place / 16) * ins + i : (long)i * quintet_blocks(coarse) + place / 16;
        for (int t = 0; t < taps; t++) job->packed[(group * taps + t) * 16 + place % 16] = from[t];
    }
}

void quintet_pack_weights(quintet_pool *pool, const quintet_convolution *convolution, int direction,
                          const float *weights, float *packed) {
    pack_job job = {convolution, direction, weights, packed, quintet_plan_of(convolution)};
    const int k = convolution->kernel, outs = convolution->coarse.channels;
    if (quintet_packed_floats(convolution, direction) == 0) return;
    int naive = quintet_variant_current() == QUINTET_NAIVE || job.plan == PLAN_NAIVE;
    if (naive || (job.plan == PLAN_PLANAR && direction == QUINTET_FORWARD)) {
        memcpy(packed, weights, sizeof(float) * k * k * k * outs * convolution->fine.channels);
        return;
    }
    if (job.plan == PLAN_BLOCKED) kernels()->pack_weights(pool, convolution, direction, weights, packed);
    else quintet_pool_run(pool, outs, pack_task, &job);
}

size_t quintet_statistics_floats(quintet_layout layout) {
    return (size_t)2 * (layout.planar ? (layout.channels + 15) / 16 * 16 : quintet_blocks(layout) * 16);
}

size_t quintet_result_scratch(const quintet_convolution *convolution, int direction, quintet_layout result) {
    size_t blocks = result.planar ? result.channels : quintet_blocks(result);
    size_t slots = quintet_result_slots(convolution, direction), passes = result.depth;
    return blocks * 32 * (slots > passes ? slots : passes);
}

size_t quintet_sum_scratch(quintet_layout layout) {
    size_t blocks = layout.planar ? layout.channels : quintet_blocks(layout);
    size_t norm = blocks * layout.depth * 48 + blocks * 16;
    size_t loss = (size_t)(3 * layout.channels + 3) * layout.depth + layout.channels;
    return norm > loss ? norm : loss;
}

typedef struct {
    quintet_layout layout;
    int32_t depth, height, width;
    const float *from;
    float *to;
} copy_job;

static void import_task(void *context, int index) {
    const copy_job *job = context;
    quintet_layout layout = job->layout;
    int c = index / layout.depth, d = index % layout.depth, step = layout.planar ? 1 : 16;
    for (int h = 0; h < layout.height; h++) {
        float *to = job->to + quintet_element(layout, c, d, h, 0);
        int count = d < job->depth && h < job->height ? job->width : 0;
        const float *from = job->from + (((long)c * job->depth + d) * job->height + h) * job->width;
        if (layout.planar && count > 0) memcpy(to, from, sizeof(float) * count);
        else for (int w = 0; w < count; w++) to[w * step] = from[w];
        for (int w = count; w < layout.width; w++) to[w * step] = 0;
    }
}

static void export_task(void *context, int index) {
    const copy_job *job = context;
    quintet_layout layout = job->layout;
    int c = index / job->depth, d = index % job->depth, step = layout.planar ? 1 : 16;
    for (int h = 0; h < job->height; h++) {
        const float *from = job->from + quintet_element(layout, c, d, h, 0);
        float *to = job->to + (((long)c * job->depth + d) * job->height + h) * job->width;
        for (int w = 0; w < job->width; w++) to[w] = from[w * step];
    }
}

void quintet_import(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                    const float *plain, float *tensor) {
    copy_job job = {layout, depth, height, width, plain, tensor};
    quintet_pool_run(pool, layout.channels * layout.depth, import_task, &job);
}

void quintet_export(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                    const float *tensor, float *plain) {
    copy_job job = {layout, depth, height, width, tensor, plain};
    quintet_pool_run(pool, layout.channels * depth, export_task, &job);
}

typedef struct {
    size_t count;
    float value, *to;
} fill_job;
enum { FILL_TASK = 1 << 16 };

static void fill_task(void *context, int index) {
    const fill_job *job = context;
    size_t end = (size_t)(index + 1) * FILL_TASK;
    if (end > job->count) end = job->count;
    for (size_t i = (size_t)index * FILL_TASK; i < end; i++) job->to[i] = job->value;
}

void quintet_fill(quintet_pool *pool, size_t count, float value, float *to) {
    fill_job job = {count, value, to};
    quintet_pool_run(pool, (int)((count + FILL_TASK - 1) / FILL_TASK), fill_task, &job);
}

void quintet_convolve(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                      const float *packed, const float *bias, float *y, int accumulate,
                      const quintet_result_statistics *statistics) {
    kernels()->convolve(pool, convolution, x, packed, bias, y, accumulate, statistics);
}
void quintet_convolve_transposed(quintet_pool *pool, const quintet_convolution *convolution, const float *y,
                                 const float *packed, const float *bias, float *x, int accumulate,
                                 const quintet_result_statistics *statistics) {
    kernels()->convolve_transposed(pool, convolution, y, packed, bias, x, accumulate, statistics);
}
void quintet_weight_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                             const float *y_gradient, float *scratch, float *gradient) {
    kernels()->weight_gradient(pool, convolution, x, y_gradient, scratch, gradient);
}
void quintet_bias_gradient(quintet_pool *pool, quintet_layout layout, const float *y_gradient, double *scratch,
                           float *gradient) {
    kernels()->bias_gradient(pool, layout, y_gradient, scratch, gradient);
}
void quintet_norm_statistics(quintet_pool *pool, quintet_layout layout, const float *x, double *scratch,
                             float *statistics) {
    kernels()->norm_statistics(pool, layout, x, scratch, statistics);
}
void quintet_norm_activate(quintet_pool *pool, quintet_layout layout, const float *x, const float *statistics,
                           const float *slope, const float *residual, float *y) {
    kernels()->norm_activate(pool, layout, x, statistics, slope, residual, y);
}
void quintet_norm_activate_gradient(quintet_pool *pool, quintet_layout layout, const float *x,
                                    const float *statistics, const float *slope, const float *y_gradient,
                                    double *scratch, float *x_gradient, float *slope_gradient) {
    kernels()->norm_activate_gradient(pool, layout, x, statistics, slope, y_gradient, scratch, x_gradient,
                                      slope_gradient);
}
void quintet_add(quintet_pool *pool, quintet_layout layout, const float *x, float *y) {
    kernels()->add(pool, layout, x, y);
}
void quintet_dice_cross_entropy(quintet_pool *pool, quintet_layout layout, const float *logits,
                                const uint8_t *target, double scale, double *scratch, float *gradient,
                                quintet_loss_figures *figures) {
    kernels()->dice_cross_entropy(pool, layout, logits, target, scale, scratch, gradient, figures);
}
void quintet_softmax(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                     const float *logits, int32_t chosen, float *probability) {
    kernels()->softmax(pool, layout, depth, height, width, logits, chosen, probability);
}

// base^exponent by squaring: the C library's pow has other bits on other machines.
static double power(double base, int64_t exponent) {
    double result = 1;
    for (; exponent > 0; exponent /= 2, base *= base)
        if (exponent % 2) result *= base;
    return result;
}

void quintet_adam(quintet_pool *pool, size_t count, double learning_rate, double beta1, double beta2, double epsilon,
                  int64_t step, const float *gradient, float *mean, float *square, float *weights) {
    kernels()->adam(pool, count, learning_rate, beta1, beta2, epsilon, power(beta1, step), power(beta2, step),
                    gradient, mean, square, weights);
}
