// The judge of the fast kernels: the definitions, as plain loops that add in double. Also the path for shapes that no
// fast kernel takes. Each element of a result is one task's alone and is summed up in the order of
// its definition, so threads change no bit. Nor does the width of vectors: their lanes are channels of the result, and
// a product of two floats is exact in double, whether it is fused with the addition or not.
#include <math.h>
#include <string.h>
#include "conv_layout.h"

enum { LANES = 16 };
typedef double lanes __attribute__((ext_vector_type(LANES), aligned(8)));

typedef struct {
    const quintet_convolution *convolution;
    const float *in, *other, *w, *bias;
    float *out;
    int accumulate;
} naive_job;

static double voxels_of(quintet_layout layout) { return (double)layout.depth * layout.height * layout.width; }
static int padded_channels(quintet_layout layout) {
    return layout.planar ? layout.channels : quintet_blocks(layout) * 16;
}
static int lane_groups(quintet_layout layout) { return (layout.channels + LANES - 1) / LANES; }
static int lanes_in_group(quintet_layout layout, int group) {
    int left = layout.channels - group * LANES;
    return left < LANES ? left : LANES;
}
// Floats from one voxel of a row to the next.
static int step_of(quintet_layout layout) { return layout.planar ? 1 : 16; }

// sums[j * sum_step] += x[j * x_step] * w
#define ADD_PRODUCTS(NAME, TARGET) \
    TARGET static void NAME(lanes *sums, int sum_step, int count, const float *x, int x_step, const lanes *w) { \
        lanes weights = *w; \
        for (int j = 0; j < count; j++) sums[(long)j * sum_step] += (double)x[(long)j * x_step] * weights; \
    }
// sums[t] += x[j * x_step + t * tap_step] * y[j], for all j in order; three taps together where there are three.
#define ADD_TAPS(NAME, TARGET) \
    TARGET static void NAME(lanes *sums, int taps, int count, const float *x, int x_step, int tap_step, \
                            const lanes *y) { \
        lanes a = sums[0], b = taps == 3 ? sums[1] : a, c = taps == 3 ? sums[2] : a; \
        for (int j = 0; j < count; j++, x += x_step) { \
            a += (double)x[0] * y[j]; \
            if (taps != 3) continue; \
            b += (double)x[tap_step] * y[j]; \
            c += (double)x[2 * tap_step] * y[j]; \
        } \
        sums[0] = a; \
        if (taps == 3) sums[1] = b, sums[2] = c; \
    }
ADD_PRODUCTS(add_products_portable, )
ADD_TAPS(add_taps_portable, )
#if defined(__x86_64__)
ADD_PRODUCTS(add_products_avx512, __attribute__((target("avx512f"))))
ADD_TAPS(add_taps_avx512, __attribute__((target("avx512f"))))
#endif

static void add_products(lanes *sums, int sum_step, int count, const float *x, int x_step, const lanes *w) {
#if defined(__x86_64__)
    if (quintet_variant_available(QUINTET_AVX512)) {
        add_products_avx512(sums, sum_step, count, x, x_step, w);
        return;
    }
#endif
    add_products_portable(sums, sum_step, count, x, x_step, w);
}
static void add_taps(lanes *sums, int taps, int count, const float *x, int x_step, int tap_step, const lanes *y) {
#if defined(__x86_64__)
    if (quintet_variant_available(QUINTET_AVX512)) {
        add_taps_avx512(sums, taps, count, x, x_step, tap_step, y);
        return;
    }
#endif
    add_taps_portable(sums, taps, count, x, x_step, tap_step, y);
}

// Memory of this task alone for so many sums.
static lanes *scratch_lanes(size_t count) {
    return (lanes *)quintet_thread_scratch(count * sizeof(lanes) / sizeof(float));
}

// What a row's sums begin with: the biases of a group of channels, or nothing.
static void begin_row(lanes *sums, int width, const float *bias, int group, int count) {
    lanes start = 0;
    for (int l = 0; bias && l < count; l++) start[l] = bias[group * LANES + l];
    for (int w = 0; w < width; w++) sums[w] = start;
}

// Rounds a row's sums once and stores them, or adds them to what is there.
static void end_row(const naive_job *job, quintet_layout layout, int group, int d, int h, const lanes *sums) {
    for (int l = 0; l < lanes_in_group(layout, group); l++) {
        float *row = job->out + quintet_element(layout, group * LANES + l, d, h, 0);
        for (int w = 0; w < layout.width; w++, row += step_of(layout))
            *row = (float)(job->accumulate ? *row + sums[w][l] : sums[w][l]);
    }
}

// One channel's tensors, for what norms and sums do with each channel by itself.
typedef struct {
    quintet_layout layout;
    const float *x, *statistics, *slope, *residual, *y_gradient;
    float *y, *own;
    double *scratch;
} channel_job;

// Every voxel of channel c, which lies `at` floats from the tensor's start.
#define EACH_VOXEL_OF(layout, c, at) \
    for (int d = 0; d < (layout).depth; d++) \
        for (int h = 0; h < (layout).height; h++) \
            for (long at = quintet_element(layout, c, d, h, 0), end = at + (long)(layout).width * step_of(layout); \
                 at < end; at += step_of(layout))

// Mean and 1/sqrt(variance + 1e-5) have their place among the padded channels.
static float *statistics_of(quintet_layout layout, const float *statistics, int c) {
    return (float *)statistics + (layout.planar ? c : quintet_padded(layout, c));
}

static void statistics_task(void *context, int c) {
    const channel_job *job = context;
    quintet_layout layout = job->layout;
    double sum = 0, square = 0;
    EACH_VOXEL_OF(layout, c, at) sum += job->x[at];
    double mean = sum / voxels_of(layout);
    EACH_VOXEL_OF(layout, c, at) square += (job->x[at] - mean) * (job->x[at] - mean);
    float *own = statistics_of(layout, job->own, c);
    own[0] = (float)mean;
    own[padded_channels(layout)] = (float)(1 / sqrt(square / voxels_of(layout) + 1e-5));
}

static void naive_norm_statistics(quintet_pool *pool, quintet_layout layout, const float *x, double *scratch,
                                  float *statistics) {
    (void)scratch;
    memset(statistics, 0, sizeof(float) * 2 * padded_channels(layout));
    channel_job job = {.layout = layout, .x = x, .own = statistics};
    quintet_pool_run(pool, layout.channels, statistics_task, &job);
}

// The size, kernel and stride of one axis, for taps that may lie beyond the tensor.
typedef struct { int fine, coarse, kernel, stride; } naive_axis;
enum { DEPTH, HEIGHT, WIDTH };

static naive_axis axis_of(const quintet_convolution *convolution, int axis) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    quintet_size3 k = convolution->kernel, s = convolution->stride;
    switch (axis) {
    case DEPTH: return (naive_axis){fine.depth, coarse.depth, k.depth, s.depth};
    case HEIGHT: return (naive_axis){fine.height, coarse.height, k.height, s.height};
    default: return (naive_axis){fine.width, coarse.width, k.width, s.width};
    }
}

// The fine coordinate that tap t of coarse coordinate c meets.
static int fine_of(naive_axis axis, int c, int t) { return c * axis.stride + t - quintet_reach(axis.kernel); }
// Whether it is in the tensor or in its halo, which holds what is to be read there; further out are zeros.
static int is_there(naive_axis axis, int f) { return f >= -1 && f <= axis.fine; }

// Coarse coordinates [first, last) whose tap t is there.
static void coarse_range(naive_axis axis, int t, int *first, int *last) {
    *first = 0, *last = axis.coarse;
    while (*first < *last && !is_there(axis, fine_of(axis, *first, t))) ++*first;
    while (*last > *first && !is_there(axis, fine_of(axis, *last - 1, t))) --*last;
}

// The row of a fine channel that tap t of coarse row (d, h) meets, from coarse voxel `first` on; NULL where it lies
// beyond the halo.
static const float *fine_row(const quintet_convolution *convolution, const float *x, int channel, int d, int h, int t,
                             int first) {
    quintet_size3 k = convolution->kernel;
    naive_axis depth = axis_of(convolution, DEPTH), height = axis_of(convolution, HEIGHT);
    int fine_d = fine_of(depth, d, t / (k.height * k.width)), fine_h = fine_of(height, h, t / k.width % k.height);
    if (!is_there(depth, fine_d) || !is_there(height, fine_h)) return NULL;
    int fine_w = fine_of(axis_of(convolution, WIDTH), first, t % k.width);
    return x + quintet_element(convolution->fine, channel, fine_d, fine_h, fine_w);
}

// y[o, d, h, w] = bias[o] + sum x[i, d s + kd - p, ...] w[o, i, kd, kh, kw]: one plane of 16 channels.
static void convolve_task(void *context, int index) {
    const naive_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int taps = quintet_taps(job->convolution), k = job->convolution->kernel.width;
    const naive_axis width = axis_of(job->convolution, WIDTH);
    int group = index / coarse.depth, d = index % coarse.depth, count = lanes_in_group(coarse, group);
    lanes *sums = scratch_lanes((size_t)coarse.width + (size_t)fine.channels * taps), *weights = sums + coarse.width;
    for (long i = 0; i < (long)fine.channels * taps; i++) {
        weights[i] = 0;
        for (int l = 0; l < count; l++)
            weights[i][l] = job->w[(long)(group * LANES + l) * fine.channels * taps + i];
    }
    for (int h = 0; h < coarse.height; h++) {
        begin_row(sums, coarse.width, job->bias, group, count);
        for (int i = 0; i < fine.channels; i++)
            for (int t = 0; t < taps; t++) {
                int first, last;
                coarse_range(width, t % k, &first, &last);
                const float *x = first < last ? fine_row(job->convolution, job->in, i, d, h, t, first) : NULL;
                if (!x) continue;
                add_products(sums + first, 1, last - first, x, width.stride * step_of(fine), weights + i * taps + t);
            }
        end_row(job, coarse, group, d, h, sums);
    }
}

static void naive_convolve(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                           const float *packed, const float *bias, float *y, int accumulate,
                           const quintet_result_statistics *wanted) {
    naive_job job = {convolution, x, NULL, packed, bias, y, accumulate};
    quintet_pool_run(pool, lane_groups(convolution->coarse) * convolution->coarse.depth, convolve_task, &job);
    if (wanted) naive_norm_statistics(pool, wanted->layout, y, NULL, wanted->statistics);
}

// The coarse coordinate that tap t maps to fine coordinate f, or -1 when there is none.
static int coarse_of(naive_axis axis, int f, int t) {
    int scaled = f + quintet_reach(axis.kernel) - t;
    return scaled >= 0 && scaled % axis.stride == 0 && scaled / axis.stride < axis.coarse ? scaled / axis.stride : -1;
}

// Coarse row (cd, ch) of every channel through the taps that differ along the row, onto a fine row's sums.
static void add_coarse_row(const naive_job *job, int cd, int ch, int tap, const lanes *weights, lanes *sums) {
    quintet_layout coarse = job->convolution->coarse;
    const naive_axis width = axis_of(job->convolution, WIDTH);
    const int k = width.kernel, s = width.stride, taps = quintet_taps(job->convolution);
    for (int t = tap; t < tap + k; t++) {
        int first = 0, last = coarse.width;
        while (first < last && fine_of(width, first, t % k) < 0) first++;
        while (last > first && fine_of(width, last - 1, t % k) >= width.fine) last--;
        for (int o = 0; o < coarse.channels && first < last; o++)
            add_products(sums + fine_of(width, first, t % k), s, last - first,
                         job->in + quintet_element(coarse, o, cd, ch, first), step_of(coarse), weights + o * taps + t);
    }
}

static void convolve_transposed_task(void *context, int index) {
    const naive_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const quintet_size3 k = job->convolution->kernel;
    const int taps = quintet_taps(job->convolution);
    int group = index / fine.depth, d = index % fine.depth, count = lanes_in_group(fine, group);
    lanes *sums = scratch_lanes((size_t)fine.width + (size_t)coarse.channels * taps), *weights = sums + fine.width;
    for (int o = 0; o < coarse.channels; o++)
        for (int t = 0; t < taps; t++) {
            lanes *own = weights + o * taps + t;
            *own = 0;
            for (int l = 0; l < count; l++)
                (*own)[l] = job->w[((long)o * fine.channels + group * LANES + l) * taps + t];
        }
    for (int h = 0; h < fine.height; h++) {
        begin_row(sums, fine.width, job->bias, group, count);
        for (int tap = 0; tap < taps; tap += k.width) {
            int cd = coarse_of(axis_of(job->convolution, DEPTH), d, tap / (k.height * k.width));
            int ch = coarse_of(axis_of(job->convolution, HEIGHT), h, tap / k.width % k.height);
            if (cd >= 0 && ch >= 0) add_coarse_row(job, cd, ch, tap, weights, sums);
        }
        end_row(job, fine, group, d, h, sums);
    }
}

static void naive_convolve_transposed(quintet_pool *pool, const quintet_convolution *convolution, const float *y,
                                      const float *packed, const float *bias, float *x, int accumulate,
                                      const quintet_result_statistics *wanted) {
    naive_job job = {convolution, y, NULL, packed, bias, x, accumulate};
    quintet_pool_run(pool, lane_groups(convolution->fine) * convolution->fine.depth, convolve_transposed_task, &job);
    if (wanted) naive_norm_statistics(pool, wanted->layout, x, NULL, wanted->statistics);
}

// Gradients of 16 output channels' weights of one input channel.
static void weight_gradient_task(void *context, int index) {
    const naive_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int k = job->convolution->kernel.width, taps = quintet_taps(job->convolution);
    const naive_axis width = axis_of(job->convolution, WIDTH);
    int group = index / fine.channels, i = index % fine.channels, count = lanes_in_group(coarse, group);
    lanes *row = scratch_lanes((size_t)coarse.width + taps), *sums = row + coarse.width;
    for (int t = 0; t < taps; t++) sums[t] = 0;
    for (int w = 0; w < coarse.width; w++) row[w] = 0;
    for (int d = 0; d < coarse.depth; d++)
        for (int h = 0; h < coarse.height; h++) {
            for (int l = 0; l < count; l++) {
                const float *dy = job->other + quintet_element(coarse, group * LANES + l, d, h, 0);
                for (int w = 0; w < coarse.width; w++) row[w][l] = dy[w * step_of(coarse)];
            }
            // Three taps along the row together, or any other number one by one.
            int together = k == 3 ? 3 : 1;
            for (int t = 0; t < taps; t += together) {
                int first = 0, last = coarse.width;
                if (together == 1) coarse_range(width, t % k, &first, &last);
                const float *x = first < last ? fine_row(job->convolution, job->in, i, d, h, t, first) : NULL;
                if (x)
                    add_taps(sums + t, together, last - first, x, width.stride * step_of(fine), step_of(fine),
                             row + first);
            }
        }
    for (int l = 0; l < count; l++)
        for (int t = 0; t < taps; t++)
            job->out[((long)(group * LANES + l) * fine.channels + i) * taps + t] += (float)sums[t][l];
}

static void naive_weight_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                                  const float *y_gradient, float *scratch, float *gradient) {
    (void)scratch;
    naive_job job = {convolution, x, y_gradient, NULL, NULL, gradient, 0};
    quintet_pool_run(pool, lane_groups(convolution->coarse) * convolution->fine.channels, weight_gradient_task, &job);
}

// The gradients of one fine channel's halo in one plane, each where it was mirrored from.
static void mirror_gradient_task(void *context, int index) {
    const naive_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    int i = index / fine.depth, d = index % fine.depth;
    for (int h = -1; h <= fine.height; h++)
        for (int w = -1; w <= fine.width; w++) {
            if (h >= 0 && h < fine.height && w >= 0 && w < fine.width) continue;
            double sum = 0;
            for (int o = 0; o < coarse.channels; o++)
                for (int t = 0; t < 9; t++) {
                    int ch = coarse_of(axis_of(job->convolution, HEIGHT), h, t / 3);
                    int cw = coarse_of(axis_of(job->convolution, WIDTH), w, t % 3);
                    if (ch < 0 || cw < 0) continue;
                    sum += (double)job->in[quintet_element(coarse, o, d, ch, cw)]
                           * job->w[((long)o * fine.channels + i) * 9 + t];
                }
            job->out[quintet_element(fine, i, d, quintet_mirrored(h, fine.height), quintet_mirrored(w, fine.width))]
                += (float)sum;
        }
}

static void naive_mirror_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *y_gradient,
                                  const float *weights, float *x_gradient) {
    naive_job job = {convolution, y_gradient, NULL, weights, NULL, x_gradient, 1};
    quintet_pool_run(pool, convolution->fine.channels * convolution->fine.depth, mirror_gradient_task, &job);
}

static void bias_task(void *context, int c) {
    const channel_job *job = context;
    double sum = 0;
    EACH_VOXEL_OF(job->layout, c, at) sum += job->y_gradient[at];
    job->own[c] += (float)sum;
}

static void naive_bias_gradient(quintet_pool *pool, quintet_layout layout, const float *y_gradient, double *scratch,
                                float *gradient) {
    (void)scratch;
    channel_job job = {.layout = layout, .y_gradient = y_gradient, .own = gradient};
    quintet_pool_run(pool, layout.channels, bias_task, &job);
}

static void activate_task(void *context, int c) {
    const channel_job *job = context;
    quintet_layout layout = job->layout;
    const float *statistics = statistics_of(layout, job->statistics, c);
    double mean = statistics[0], inverse = statistics[padded_channels(layout)], slope = *job->slope;
    EACH_VOXEL_OF(layout, c, at) {
        double u = (job->x[at] - mean) * inverse;
        job->y[at] = (float)((u > 0 ? u : u * slope) + (job->residual ? job->residual[at] : 0));
    }
}

static void naive_norm_activate(quintet_pool *pool, quintet_layout layout, const float *x, const float *statistics,
                                const float *slope, const float *residual, float *y) {
    channel_job job = {layout, x, statistics, slope, residual, NULL, y, NULL, NULL};
    quintet_pool_run(pool, layout.channels, activate_task, &job);
}

// scratch [channel]: the slope's gradient.
static void activate_gradient_task(void *context, int c) {
    const channel_job *job = context;
    quintet_layout layout = job->layout;
    const float *statistics = statistics_of(layout, job->statistics, c);
    double mean = statistics[0], inverse = statistics[padded_channels(layout)], slope = *job->slope;
    double sum = 0, product = 0, slopes = 0, count = voxels_of(layout);
    EACH_VOXEL_OF(layout, c, at) {
        double u = (job->x[at] - mean) * inverse, g = job->y_gradient[at];
        if (!(u > 0)) slopes += g * u, g *= slope;
        sum += g;
        product += g * u;
    }
    EACH_VOXEL_OF(layout, c, at) {
        double u = (job->x[at] - mean) * inverse, g = job->y_gradient[at];
        if (!(u > 0)) g *= slope;
        job->y[at] = (float)(inverse * (g - sum / count - u * product / count));
    }
    job->scratch[c] = slopes;
}

static void naive_norm_activate_gradient(quintet_pool *pool, quintet_layout layout, const float *x,
                                         const float *statistics, const float *slope, const float *y_gradient,
                                         double *scratch, float *x_gradient, float *slope_gradient) {
    channel_job job = {layout, x, statistics, slope, NULL, y_gradient, x_gradient, NULL, scratch};
    quintet_pool_run(pool, layout.channels, activate_gradient_task, &job);
    double slopes = 0;
    for (int c = 0; c < layout.channels; c++) slopes += scratch[c];
    *slope_gradient += (float)slopes;
}

static void add_task(void *context, int c) {
    const channel_job *job = context;
    EACH_VOXEL_OF(job->layout, c, at) job->y[at] += job->x[at];
}

static void naive_add(quintet_pool *pool, quintet_layout layout, const float *x, float *y) {
    channel_job job = {.layout = layout, .x = x, .y = y};
    quintet_pool_run(pool, layout.channels, add_task, &job);
}

#define EACH_VOXEL(layout) \
    for (int d = 0; d < (layout).depth; d++) \
        for (int h = 0; h < (layout).height; h++) \
            for (int w = 0; w < (layout).width; w++)

// Softmax of one voxel into gradient's place; returns the log of the sum of the exponentials.
static double softmax_voxel(quintet_layout layout, const float *logits, int d, int h, int w, float *p) {
    double top = logits[quintet_element(layout, 0, d, h, w)], sum = 0;
    for (int c = 1; c < layout.channels; c++) top = fmax(top, logits[quintet_element(layout, c, d, h, w)]);
    for (int c = 0; c < layout.channels; c++) sum += exp(logits[quintet_element(layout, c, d, h, w)] - top);
    for (int c = 0; c < layout.channels; c++)
        p[quintet_element(layout, c, d, h, w)] =
            (float)(exp(logits[quintet_element(layout, c, d, h, w)] - top) / sum);
    return top + log(sum);
}

static void naive_dice_cross_entropy(quintet_pool *pool, quintet_layout layout, const float *logits,
                                     const uint8_t *target, double scale, double *scratch, float *gradient,
                                     quintet_loss_figures *figures) {
    (void)pool;
    const int classes = layout.channels;
    const double voxels = voxels_of(layout), smooth = 1e-5;
    // scratch [C][3]: sums of p, of p in the class's voxels, of those voxels.
    memset(scratch, 0, sizeof(double) * 3 * classes);
    memset(figures, 0, sizeof *figures);
    double entropy = 0;
    const uint8_t *t = target;
    EACH_VOXEL(layout) {
        int truth = *t++, best = 0;
        entropy += softmax_voxel(layout, logits, d, h, w, gradient);
        entropy -= logits[quintet_element(layout, truth, d, h, w)];
        for (int c = 0; c < classes; c++) {
            double p = gradient[quintet_element(layout, c, d, h, w)];
            scratch[3 * c] += p;
            if (c == truth) scratch[3 * c + 1] += p, scratch[3 * c + 2] += 1;
            if (logits[quintet_element(layout, c, d, h, w)] > logits[quintet_element(layout, best, d, h, w)]) best = c;
        }
        figures->intersection += truth == 1 && best == 1;
        figures->predicted += best == 1;
        figures->truth += truth == 1;
    }
    double dice = 0;
    for (int c = 0; c < classes; c++)
        dice += 1 - (2 * scratch[3 * c + 1] + smooth) / (scratch[3 * c] + scratch[3 * c + 2] + smooth);
    figures->loss = dice / classes + entropy / voxels;
    t = target;
    EACH_VOXEL(layout) {
        int truth = *t++;
        double mean = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int c = 0; c < classes; c++) {
                double top = 2 * scratch[3 * c + 1] + smooth, bottom = scratch[3 * c] + scratch[3 * c + 2] + smooth;
                double g = (top / (bottom * bottom) - (c == truth ? 2 / bottom : 0)) / classes;
                float *p = gradient + quintet_element(layout, c, d, h, w);
                if (pass == 0) mean += g * *p;
                else *p = (float)(scale * (*p * (g - mean) + (*p - (c == truth)) / voxels));
            }
    }
}

static void naive_softmax(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                          const float *logits, int32_t chosen, float *probability) {
    (void)pool;
    for (int d = 0; d < depth; d++)
        for (int h = 0; h < height; h++)
            for (int w = 0; w < width; w++) {
                double sum = 0, at = logits[quintet_element(layout, chosen, d, h, w)];
                for (int c = 0; c < layout.channels; c++) sum += exp(logits[quintet_element(layout, c, d, h, w)] - at);
                probability[((long)d * height + h) * width + w] = (float)(1 / sum);
            }
}

static void naive_adam(quintet_pool *pool, size_t count, double learning_rate, double beta1, double beta2,
                       double epsilon, double power1, double power2, const float *gradient, float *mean, float *square,
                       float *weights) {
    (void)pool;
    for (size_t i = 0; i < count; i++) {
        double g = gradient[i];
        mean[i] = (float)(mean[i] + (1 - beta1) * (g - mean[i]));
        square[i] = (float)(beta2 * square[i] + (1 - beta2) * g * g);
        double root = sqrt(square[i]) / sqrt(1 - power2) + epsilon;
        weights[i] = (float)(weights[i] - learning_rate / (1 - power1) * mean[i] / root);
    }
}

const quintet_kernels quintet_kernels_naive = {
    .convolve = naive_convolve,
    .convolve_transposed = naive_convolve_transposed,
    .weight_gradient = naive_weight_gradient,
    .mirror_gradient = naive_mirror_gradient,
    .bias_gradient = naive_bias_gradient,
    .norm_statistics = naive_norm_statistics,
    .norm_activate = naive_norm_activate,
    .norm_activate_gradient = naive_norm_activate_gradient,
    .add = naive_add,
    .dice_cross_entropy = naive_dice_cross_entropy,
    .softmax = naive_softmax,
    .adam = naive_adam,
};
