// Softmax, Dice + cross-entropy and Adam. 16 voxels at a time, all classes beside each other. Included once per
// instruction set.
#ifndef QUINTET_LOSS_FAST_H
#define QUINTET_LOSS_FAST_H
#include "exponential_fast.h"
#include "loss_voxels.h"

// As many classes as the targets' bytes can tell apart.
enum { CLASSES_MAX = 256 };

typedef struct {
    quintet_layout layout;
    const float *logits;
    const uint8_t *target;
    double *scratch;
    float *gradient;
    // For each class: d loss / d p outside the class's voxels, and what its voxels add; then 1 / voxels.
    const float *slopes;
    float voxel_share, scale;
    int32_t height, width, chosen;
    float *probability;
} loss_job;

// What one row adds up, lane by lane: floats within a row, doubles between rows.
typedef struct {
    v16 p[CLASSES_MAX], hit[CLASSES_MAX], entropy;
    i16 truth[CLASSES_MAX], intersection, predicted;
} loss_row;

// 16 voxels: writes probabilities where the gradient will stand.
INLINE void loss_voxels(const loss_job *job, quintet_layout layout, int d, int h, int w, loss_row *row) {
    const int classes = layout.channels;
    v16 top = largest_logit(layout, job->logits, d, h, w), total = SPLAT(0), of_target = SPLAT(0);
    i16 target = load_target(job->layout, job->target, d, h, w), inside = target >= 0;
    for (int c = 0; c < classes; c++) {
        v16 z = load_channel(layout, job->logits, c, d, h, w) - top, e = exp_negative(z);
        total += e;
        of_target = SELECT(target == c, z, of_target);
        store_channel(layout, job->gradient, c, d, h, w, e);
    }
    v16 inverse = 1.0f / total;
    for (int c = 0; c < classes; c++) {
        v16 p = load_channel(layout, job->gradient, c, d, h, w) * inverse;
        i16 here = target == c;
        row->p[c] += SELECT(inside, p, SPLAT(0));
        row->hit[c] += SELECT(here, p, SPLAT(0));
        row->truth[c] -= here;
        store_channel(layout, job->gradient, c, d, h, w, p);
    }
    row->entropy += SELECT(inside, log_above_one(total) - of_target, SPLAT(0));
    // Ties go to the lower class, as argmax does.
    v16 one = load_channel(layout, job->logits, 1, d, h, w);
    i16 predicted = inside & (one == top) & (load_channel(layout, job->logits, 0, d, h, w) < top);
    row->predicted -= predicted;
    row->intersection -= predicted & (target == 1);
}

// One plane; scratch [depth][3 C + 3]: for each class the sums of p, of p in the class's voxels and of those voxels;
// cross-entropy; intersection, predicted.
INLINE void loss_plane(const loss_job *job, quintet_layout layout, int d) {
    const int classes = layout.channels;
    double *sums = job->scratch + (long)d * (3 * classes + 3);
    memset(sums, 0, sizeof(double) * (3 * classes + 3));
    loss_row row;
    for (int h = 0; h < layout.height; h++) {
        for (int c = 0; c < classes; c++) row.p[c] = row.hit[c] = SPLAT(0), row.truth[c] = 0;
        row.entropy = SPLAT(0);
        row.intersection = row.predicted = 0;
        for (int w = 0; w < layout.width; w += 16) loss_voxels(job, layout, d, h, w, &row);
        for (int c = 0; c < classes; c++) {
            sums[3 * c] += sum_doubles(WIDEN(row.p[c]));
            sums[3 * c + 1] += sum_doubles(WIDEN(row.hit[c]));
            sums[3 * c + 2] += __builtin_reduce_add(row.truth[c]);
        }
        sums[3 * classes] += sum_doubles(WIDEN(row.entropy));
        sums[3 * classes + 1] += __builtin_reduce_add(row.intersection);
        sums[3 * classes + 2] += __builtin_reduce_add(row.predicted);
    }
}
static void loss_sums_task(void *context, int d) {
    const loss_job *job = context;
    quintet_layout layout = job->layout;
    // Two classes in planar tensors is the network's own case: the compiler makes a loop of its own for it.
    if (layout.planar && layout.channels == 2) { layout.planar = 1, layout.channels = 2; loss_plane(job, layout, d); }
    else loss_plane(job, layout, d);
}

// dz_c = p_c (g_c - sum_k g_k p_k) + (p_c - t_c) / voxels, with g = d Dice loss / d p.
INLINE void loss_gradient_plane(const loss_job *job, quintet_layout layout, int d) {
    for (int h = 0; h < layout.height; h++)
        for (int w = 0; w < layout.width; w += 16) {
            i16 target = load_target(job->layout, job->target, d, h, w);
            v16 mean = SPLAT(0);
            for (int c = 0; c < layout.channels; c++) {
                v16 in_class = SELECT(target == c, SPLAT(job->slopes[2 * c + 1]), SPLAT(0));
                mean = FMA(load_channel(layout, job->gradient, c, d, h, w), job->slopes[2 * c] + in_class, mean);
            }
            for (int c = 0; c < layout.channels; c++) {
                v16 p = load_channel(layout, job->gradient, c, d, h, w);
                v16 in_class = SELECT(target == c, SPLAT(job->slopes[2 * c + 1]), SPLAT(0));
                v16 truth = SELECT(target == c, SPLAT(1), SPLAT(0));
                v16 g = FMA(p, job->slopes[2 * c] + in_class - mean, (p - truth) * job->voxel_share);
                store_channel(layout, job->gradient, c, d, h, w, g * job->scale);
            }
        }
}

static void loss_gradient_task(void *context, int d) {
    const loss_job *job = context;
    quintet_layout layout = job->layout;
    if (layout.planar && layout.channels == 2) {
        layout.planar = 1, layout.channels = 2;
        loss_gradient_plane(job, layout, d);
    } else {
        loss_gradient_plane(job, layout, d);
    }
}

static void fast_dice_cross_entropy(quintet_pool *pool, quintet_layout layout, const float *logits,
                                    const uint8_t *target, double scale, double *scratch, float *gradient,
                                    quintet_loss_figures *figures) {
    const int classes = layout.channels, kinds = 3 * classes + 3;
    const double voxels = (double)layout.depth * layout.height * layout.width, smooth = 1e-5;
    float *slopes = (float *)(scratch + (long)layout.depth * kinds);
    loss_job job = {.layout = layout, .logits = logits, .target = target, .scratch = scratch, .gradient = gradient,
                    .slopes = slopes, .voxel_share = (float)(1 / voxels), .scale = (float)scale};
    quintet_pool_run(pool, layout.depth, loss_sums_task, &job);
    for (int d = 1; d < layout.depth; d++)
        for (int i = 0; i < kinds; i++) scratch[i] += scratch[(long)d * kinds + i];
    double dice = 0;
    for (int c = 0; c < classes; c++) {
        double top = 2 * scratch[3 * c + 1] + smooth, bottom = scratch[3 * c] + scratch[3 * c + 2] + smooth;
        dice += 1 - top / bottom;
        slopes[2 * c] = (float)(top / (bottom * bottom) / classes);
        slopes[2 * c + 1] = (float)(-2 / bottom / classes);
    }
    figures->loss = dice / classes + scratch[3 * classes] / voxels;
    figures->intersection = (int64_t)scratch[3 * classes + 1];
    figures->predicted = (int64_t)scratch[3 * classes + 2];
    figures->truth = (int64_t)scratch[3 + 2];
    quintet_pool_run(pool, layout.depth, loss_gradient_task, &job);
}

INLINE void softmax_plane(const loss_job *job, quintet_layout layout, int d) {
    for (int h = 0; h < job->height; h++)
        for (int w = 0; w < job->width; w += 16) {
            v16 top = largest_logit(layout, job->logits, d, h, w), total = SPLAT(0), chosen = SPLAT(0);
            for (int c = 0; c < layout.channels; c++) {
                v16 e = exp_negative(load_channel(layout, job->logits, c, d, h, w) - top);
                total += e;
                if (c == job->chosen) chosen = e;
            }
            v16 p = chosen / total;
            float *to = job->probability + ((long)d * job->height + h) * job->width + w;
            if (w + 16 <= job->width) STORE_ANY(to, p);
            else for (int i = 0; w + i < job->width; i++) to[i] = p[i];
        }
}
static void softmax_task(void *context, int d) {
    const loss_job *job = context;
    quintet_layout layout = job->layout;
    if (layout.planar && layout.channels == 2) {
        layout.planar = 1, layout.channels = 2;
        softmax_plane(job, layout, d);
    } else {
        softmax_plane(job, layout, d);
    }
}

static void fast_softmax(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                         const float *logits, int32_t chosen, float *probability) {
    loss_job job = {.layout = layout, .logits = logits, .height = height, .width = width, .chosen = chosen,
                    .probability = probability};
    quintet_pool_run(pool, depth, softmax_task, &job);
}

typedef struct {
    size_t count;
    const float *gradient;
    float *mean, *square, *weights;
    float keep1, keep2, add2, epsilon, root_correction, step_size;
} adam_job;

enum { ADAM_TASK = 1 << 16 };

static void adam_task(void *context, int index) {
    const adam_job *job = context;
    size_t end = (size_t)(index + 1) * ADAM_TASK;
    if (end > job->count) end = job->count;
    for (size_t i = (size_t)index * ADAM_TASK; i < end; i++) {
        float g = job->gradient[i];
        float m = job->mean[i] + job->keep1 * (g - job->mean[i]);
        float v = job->square[i] * job->keep2 + job->add2 * g * g;
        job->mean[i] = m;
        job->square[i] = v;
        job->weights[i] -= job->step_size * (m / (__builtin_sqrtf(v) / job->root_correction + job->epsilon));
    }
}

static void fast_adam(quintet_pool *pool, size_t count, double learning_rate, double beta1, double beta2,
                      double epsilon, double power1, double power2, const float *gradient, float *mean, float *square,
                      float *weights) {
    adam_job job = {count, gradient, mean, square, weights, (float)(1 - beta1), (float)beta2,
                    (float)(1 - beta2), (float)epsilon, (float)__builtin_sqrt(1 - power2),
                    (float)(learning_rate / (1 - power1))};
    quintet_pool_run(pool, (int)((count + ADAM_TASK - 1) / ADAM_TASK), adam_task, &job);
}
#endif
