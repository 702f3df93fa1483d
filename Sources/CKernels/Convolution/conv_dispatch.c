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

// What a flat convolution's two sides are: kernels of 3x3 and 1x1 at stride 1, and of 2x2 at stride 2 between blocks.
static quintet_plan flat_plan_of(const quintet_convolution *convolution) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    const int k = convolution->kernel.height, s = convolution->stride.height;
    const int odd = (k == 1 || k == 3) && s == 1, halving = k == 2 && s == 2;
    // Offsets of taps are 32-bit numbers.
    if (quintet_layout_floats(fine) > INT32_MAX || quintet_layout_floats(coarse) > INT32_MAX) return PLAN_NAIVE;
    if (convolution->kernel.depth != 1 || convolution->kernel.width != k) return PLAN_NAIVE;
    if (convolution->stride.depth != 1 || convolution->stride.width != s) return PLAN_NAIVE;
    if (!fine.planar && !coarse.planar) return odd || halving ? PLAN_BLOCKED : PLAN_NAIVE;
    quintet_layout planar = fine.planar ? fine : coarse, blocked = fine.planar ? coarse : fine;
    if (!odd || blocked.planar || planar.channels > PLANAR_CHANNELS_MAX) return PLAN_NAIVE;
    if (quintet_blocks(blocked) > PLANAR_BLOCKS_MAX) return PLAN_NAIVE;
    return fine.planar ? PLAN_PLANAR_TO_BLOCKED : PLAN_BLOCKED_TO_PLANAR;
}

quintet_plan quintet_plan_of(const quintet_convolution *convolution) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    if (fine.flat) return flat_plan_of(convolution);
    const int k = convolution->kernel.height, s = convolution->stride.height;
    if (!quintet_is_cube(convolution->kernel, k) || !quintet_is_cube(convolution->stride, s)) return PLAN_NAIVE;
    // A stride leaves out voxels of kernel 1, which no fast kernel knows.
    if ((k != 1 && k != 3) || s > 2 || (k == 1 && s != 1) || convolution->mirrored) return PLAN_NAIVE;
    if (!fine.planar && !coarse.planar) return PLAN_BLOCKED;
    if (fine.channels > PLANAR_CHANNELS_MAX) return PLAN_NAIVE;
    if (!coarse.planar) return quintet_blocks(coarse) <= PLANAR_BLOCKS_MAX ? PLAN_PLANAR_TO_BLOCKED : PLAN_NAIVE;
    int small = coarse.channels <= PLANAR_CHANNELS_MAX && fine.planar;
    return small && k == 3 && s == 1 ? PLAN_PLANAR : PLAN_NAIVE;
}

// Winograd's tiles may reach over the end by half of what they compute, and every point's weights must serve a few
// tiles.
static int winograd_suits(const quintet_convolution *convolution, int tiles_wanted) {
    quintet_layout layout = convolution->coarse;
    long tiles = quintet_winograd_tiles(layout), voxels = (long)layout.depth * layout.height * layout.width;
    int fine = quintet_blocks(convolution->fine), coarse = quintet_blocks(layout);
    return !direct_only && !preferred_direct && quintet_plan_of(convolution) == PLAN_BLOCKED
           && quintet_is_cube(convolution->kernel, 3) && fine <= WINOGRAD_BLOCKS_MAX && coarse <= WINOGRAD_BLOCKS_MAX
           && tiles * 32 * 2 <= voxels * 3 && tiles >= tiles_wanted;
}

int quintet_uses_winograd(const quintet_convolution *convolution) {
    int pairs = quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse);
    return winograd_suits(convolution, quintet_winograd_has_few_tiles(convolution) ? 2 : pairs / 16);
}

int quintet_uses_winograd_gradient(const quintet_convolution *convolution) {
    return winograd_suits(convolution, quintet_winograd_has_few_tiles(convolution) ? 4 : 64);
}

// As above, with tiles of 4x4; fewer than sixteen of them do not pay for their weights' points.
int quintet_uses_flat_winograd(const quintet_convolution *convolution) {
    quintet_layout layout = convolution->coarse;
    if (direct_only || preferred_direct || !layout.flat || convolution->kernel.height != 3) return 0;
    if (quintet_plan_of(convolution) != PLAN_BLOCKED) return 0;
    int fine = quintet_blocks(convolution->fine), coarse = quintet_blocks(layout);
    long tiles = quintet_flat_tiles(layout), voxels = (long)layout.depth * layout.height * layout.width;
    return fine <= WINOGRAD_BLOCKS_MAX && coarse <= WINOGRAD_BLOCKS_MAX && tiles * 16 * 2 <= voxels * 3 && tiles >= 16;
}

// Conditions of the table below.
static int always(const quintet_convolution *convolution) { return convolution != NULL; }
static int is_flat_without_overlap(const quintet_convolution *convolution) {
    return convolution->coarse.flat && convolution->kernel.height < 3;
}
static int flat_with_many_pairs(const quintet_convolution *convolution) {
    return quintet_uses_flat_winograd(convolution) && quintet_flat_by_points(convolution);
}
static int has_few_tiles(const quintet_convolution *convolution) {
    return quintet_uses_winograd(convolution) && quintet_winograd_has_few_tiles(convolution);
}
static int has_few_tiles_gradient(const quintet_convolution *convolution) {
    return quintet_uses_winograd_gradient(convolution) && quintet_winograd_has_few_tiles(convolution);
}
static int is_winograd_at_stride_2(const quintet_convolution *convolution) {
    return quintet_uses_winograd(convolution) && convolution->stride.height == 2;
}
static int is_winograd_gradient_at_stride_2(const quintet_convolution *convolution) {
    return quintet_uses_winograd_gradient(convolution) && convolution->stride.height == 2;
}
// Their halo's part of the sums has no place in the convolution turned round.
static int is_mirrored(const quintet_convolution *convolution) {
    return convolution->mirrored && convolution->kernel.height == 3;
}

// Which algorithm an operation gets: the first row that fits. Sources/CKernels/README.md says the same in words.
enum { F = 1 << QUINTET_FORWARD, T = 1 << QUINTET_TRANSPOSED, G = 1 << QUINTET_WEIGHT_GRADIENT };
static const struct {
    quintet_plan plan;
    int operations;
    int (*condition)(const quintet_convolution *);
    quintet_algorithm algorithm;
} algorithms[] = {
    {PLAN_NAIVE, F | T | G, always, QUINTET_PLAIN},
    {PLAN_PLANAR, F | T | G, always, QUINTET_PLANAR},
    {PLAN_PLANAR_TO_BLOCKED, T, quintet_uses_turned_rows, QUINTET_TURNED_ROWS},
    {PLAN_PLANAR_TO_BLOCKED, F | T | G, always, QUINTET_PLANAR_TO_BLOCKED},
    {PLAN_BLOCKED_TO_PLANAR, G, is_mirrored, QUINTET_PLAIN},
    {PLAN_BLOCKED_TO_PLANAR, F | T | G, always, QUINTET_BLOCKED_TO_PLANAR},
    {PLAN_BLOCKED, F | T | G, is_flat_without_overlap, QUINTET_FLAT_PRODUCTS},
    {PLAN_BLOCKED, F | T | G, flat_with_many_pairs, QUINTET_FLAT_POINTS},
    {PLAN_BLOCKED, F | T | G, quintet_uses_flat_winograd, QUINTET_FLAT_TILES},
    {PLAN_BLOCKED, F | T, is_winograd_at_stride_2, QUINTET_PARITY},
    {PLAN_BLOCKED, G, is_winograd_gradient_at_stride_2, QUINTET_PARITY},
    {PLAN_BLOCKED, F | T, has_few_tiles, QUINTET_FEW_TILES},
    {PLAN_BLOCKED, G, has_few_tiles_gradient, QUINTET_FEW_TILES},
    {PLAN_BLOCKED, F | T, quintet_uses_winograd, QUINTET_WINOGRAD},
    {PLAN_BLOCKED, G, quintet_uses_winograd_gradient, QUINTET_WINOGRAD},
    {PLAN_BLOCKED, F | T | G, always, QUINTET_DIRECT},
};

quintet_algorithm quintet_algorithm_of(const quintet_convolution *convolution, int operation) {
    quintet_plan plan = quintet_plan_of(convolution);
    for (size_t row = 0; row < sizeof algorithms / sizeof *algorithms; row++)
        if (algorithms[row].plan == plan && algorithms[row].operations & 1 << operation
            && algorithms[row].condition(convolution))
            return algorithms[row].algorithm;
    return QUINTET_PLAIN;
}

int quintet_result_is_summed(const quintet_convolution *convolution, int direction) {
    return quintet_result_slots(convolution, direction) > 0;
}

// The sums of a slot are `points` blocks for each pair of blocks: fewer slots where there are many pairs.
static int winograd_slots(const quintet_convolution *convolution, int tiles, int most) {
    int pairs = quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse);
    int slots = pairs <= 2 ? 32 : pairs <= 8 ? 16 : most;
    // With the points of stride 2 beside them, the sums of more slots leave the cache.
    if (convolution->stride.height == 2 && slots > 8) slots = 8;
    return tiles / 16 < slots ? (tiles + 15) / 16 : slots;
}

int quintet_gradient_slots(const quintet_convolution *convolution) {
    int rows = convolution->coarse.depth * convolution->coarse.height, slots = 64;
    switch (quintet_algorithm_of(convolution, QUINTET_WEIGHT_GRADIENT)) {
    case QUINTET_PLAIN: case QUINTET_FEW_TILES: case QUINTET_FLAT_POINTS: return 1;
    case QUINTET_WINOGRAD: case QUINTET_PARITY:
        return winograd_slots(convolution, quintet_winograd_tiles(convolution->coarse), 4);
    case QUINTET_FLAT_TILES: return winograd_slots(convolution, quintet_flat_tiles(convolution->coarse), 16);
    case QUINTET_FLAT_PRODUCTS: slots = 32 / quintet_blocks(convolution->fine); break;
    case QUINTET_DIRECT:
        slots = 64 / (quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse));
        break;
    case QUINTET_PLANAR_TO_BLOCKED: case QUINTET_TURNED_ROWS:
        slots = 64 / quintet_blocks(convolution->coarse);
        break;
    case QUINTET_BLOCKED_TO_PLANAR: slots = 64 / quintet_blocks(convolution->fine); break;
    case QUINTET_PLANAR: break;
    }
    if (slots > rows) slots = rows;
    return slots < 1 ? 1 : slots;
}

size_t quintet_gradient_scratch(const quintet_convolution *convolution) {
    long fine = quintet_blocks(convolution->fine), coarse = quintet_blocks(convolution->coarse);
    long taps = quintet_taps(convolution), slots = quintet_gradient_slots(convolution), pairs = fine * coarse * 256;
    switch (quintet_algorithm_of(convolution, QUINTET_WEIGHT_GRADIENT)) {
    case QUINTET_PLAIN: return 16;
    case QUINTET_FEW_TILES:
        return (fine + coarse) * quintet_winograd_block(quintet_winograd_tiles(convolution->coarse));
    case QUINTET_WINOGRAD: case QUINTET_PARITY: return pairs * 144 * slots;
    case QUINTET_FLAT_TILES: return pairs * FLAT_POINTS * slots;
    case QUINTET_FLAT_POINTS: {
        int tiles = quintet_flat_batch(convolution);
        return FLAT_POINTS * (pairs + quintet_flat_step((int)fine, tiles) + quintet_flat_step((int)coarse, tiles));
    }
    case QUINTET_DIRECT: case QUINTET_FLAT_PRODUCTS: return pairs * taps * slots;
    case QUINTET_PLANAR_TO_BLOCKED: case QUINTET_TURNED_ROWS:
        return convolution->fine.channels * coarse * 16 * taps * slots;
    case QUINTET_BLOCKED_TO_PLANAR: return convolution->coarse.channels * fine * 16 * taps * slots;
    case QUINTET_PLANAR: break;
    }
    return (long)convolution->fine.channels * convolution->coarse.channels * 16 * taps * slots;
}

size_t quintet_packed_floats(const quintet_convolution *convolution, int direction) {
    size_t taps = quintet_taps(convolution), raw = taps * convolution->fine.channels * convolution->coarse.channels;
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
        if (quintet_uses_flat_winograd(convolution))
            packed = FLAT_POINTS * quintet_winograd_step((int)fine_blocks, (int)coarse_blocks);
        break;
    case PLAN_BLOCKED_TO_PLANAR: packed = convolution->coarse.channels * fine_blocks * taps * 16; break;
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
    const int taps = quintet_taps(job->convolution), ins = fine.channels, forward = job->direction == QUINTET_FORWARD;
    int place = quintet_padded(coarse, o);
    for (int i = 0; i < ins; i++) {
        const float *from = job->weights + ((long)o * ins + i) * taps;
        if (job->plan == PLAN_PLANAR) {
            // The gradient is a convolution with the taps turned round and the channels exchanged.
            float *to = job->packed + ((long)i * coarse.channels + o) * taps;
            for (int t = 0; t < taps; t++) to[t] = from[taps - 1 - t];
            continue;
        }
        if (job->plan == PLAN_BLOCKED_TO_PLANAR) {
            // As the other direction of the convolution turned round, from planar to blocked.
            int own = quintet_padded(fine, i), block = own / 16;
            long group = forward ? (long)o * quintet_blocks(fine) + block : (long)block * coarse.channels + o;
            for (int t = 0; t < taps; t++) job->packed[(group * taps + t) * 16 + own % 16] = from[taps - 1 - t];
            continue;
        }
        long group = forward ? (long)(place / 16) * ins + i : (long)i * quintet_blocks(coarse) + place / 16;
        for (int t = 0; t < taps; t++) job->packed[(group * taps + t) * 16 + place % 16] = from[t];
    }
}

void quintet_pack_weights(quintet_pool *pool, const quintet_convolution *convolution, int direction,
                          const float *weights, float *packed) {
    pack_job job = {convolution, direction, weights, packed, quintet_plan_of(convolution)};
    const int outs = convolution->coarse.channels;
    if (quintet_packed_floats(convolution, direction) == 0) return;
    int naive = quintet_variant_current() == QUINTET_NAIVE || job.plan == PLAN_NAIVE;
    if (naive || (job.plan == PLAN_PLANAR && direction == QUINTET_FORWARD)) {
        memcpy(packed, weights, sizeof(float) * quintet_taps(convolution) * outs * convolution->fine.channels);
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
void quintet_mirror_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *y_gradient,
                             const float *weights, float *x_gradient) {
    kernels()->mirror_gradient(pool, convolution, y_gradient, weights, x_gradient);
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
