// Focal loss with smoothed labels, 16 voxels at a time, all classes beside each other. Included once per instruction
// set.
#ifndef QUINTET_FOCAL_FAST_H
#define QUINTET_FOCAL_FAST_H

typedef struct {
    quintet_layout layout;
    const float *logits;
    const uint8_t *target;
    const quintet_focal *focal;
    float *gradient;
    // q = q_low + q_range p, 1 - q = q_range (1 - p); scale / voxels.
    float q_low, q_range, share;
    // [task][4][16]: loss, intersection, predicted, truth.
    double *sums;
} focal_job;

// By shape alone: rows whose voxels fill a band in planar memory.
INLINE int focal_rows(quintet_layout layout) { return layer_band_rows(layout.height, layout.width * 16L); }

// (1 - q)^gamma; exp and log work for numbers from the smallest normal one to 1.
INLINE v16 focal_power(double gamma, v16 rest) {
    if (gamma == 2) return rest * rest;
    if (gamma == 0) return SPLAT(1);
    return exp_negative(log_above_one(rest) * (float)gamma);
}

// What 16 voxels have: the largest logit, 1 / the sum of the exponentials, the target's probability, the weight of the
// target's class.
typedef struct { v16 top, inverse, p, rest, alpha; } focal_voxels;

INLINE focal_voxels focal_softmax(const focal_job *job, i16 target, int d, int h, int w) {
    v16 total = SPLAT(0), others = SPLAT(0), own = SPLAT(0), alpha = SPLAT(job->focal->alpha ? 0 : 1);
    focal_voxels all = {.top = largest_logit(job->layout, job->logits, d, h, w)};
    for (int c = 0; c < job->layout.channels; c++) {
        v16 e = exp_negative(load_channel(job->layout, job->logits, c, d, h, w) - all.top);
        i16 here = target == c;
        total += e;
        own = SELECT(here, e, own);
        // 1 - p would lose its digits where p is nearly 1.
        others += SELECT(here, SPLAT(0), e);
        if (job->focal->alpha) alpha = SELECT(here, SPLAT(job->focal->alpha[c]), alpha);
    }
    all.inverse = 1.0f / total;
    all.p = own * all.inverse;
    all.rest = others * all.inverse;
    all.alpha = alpha;
    return all;
}

// dz_c = slope p_c (p - [c = t]) with slope = -d loss / d p of the target's class.
INLINE void focal_store(const focal_job *job, const focal_voxels *all, v16 slope, i16 target, int d, int h, int w) {
    for (int c = 0; c < job->layout.channels; c++) {
        v16 own = exp_negative(load_channel(job->layout, job->logits, c, d, h, w) - all->top) * all->inverse;
        v16 distance = SELECT(target == c, -all->rest, all->p);
        store_channel(job->layout, job->gradient, c, d, h, w, slope * own * distance);
    }
}

INLINE void focal_row(const focal_job *job, int d, int h, d16 *sums) {
    quintet_layout layout = job->layout;
    v16 loss = SPLAT(0);
    i16 intersections = 0, predictions = 0, truths = 0;
    for (int w = 0; w < layout.width; w += 16) {
        i16 target = load_target(layout, job->target, d, h, w), inside = target >= 0;
        v16 zero = load_channel(layout, job->logits, 0, d, h, w), one = load_channel(layout, job->logits, 1, d, h, w);
        focal_voxels all = focal_softmax(job, target, d, h, w);
        v16 rest = job->q_range * all.rest, tiny = SPLAT(0x1p-126f);
        rest = SELECT(rest < tiny, tiny, rest);
        v16 q = FMA(SPLAT(job->q_range), all.p, SPLAT(job->q_low)), log = log_above_one(q);
        v16 power = focal_power(job->focal->gamma, rest);
        loss -= SELECT(inside, all.alpha * power * log, SPLAT(0));
        // Ties go to the lower class, as argmax does.
        i16 predicted = inside & (one == all.top) & (zero < all.top);
        predictions -= predicted;
        intersections -= predicted & (target == 1);
        truths -= target == 1;
        if (!job->gradient) continue;
        v16 slope = power / q - (float)job->focal->gamma * power / rest * log;
        focal_store(job, &all, all.alpha * slope * job->q_range * job->share, target, d, h, w);
    }
    sums[0] += WIDEN(loss);
    sums[1] += __builtin_convertvector(intersections, d16);
    sums[2] += __builtin_convertvector(predictions, d16);
    sums[3] += __builtin_convertvector(truths, d16);
}

static void focal_task(void *context, int index) {
    const focal_job *job = context;
    quintet_layout layout = job->layout;
    int rows = focal_rows(layout), bands = layer_parts(layout.height, rows), d = index / bands;
    int first = index % bands * rows;
    d16 sums[4] = {0};
    for (int h = first; h < first + rows && h < layout.height; h++) focal_row(job, d, h, sums);
    memcpy(job->sums + (long)index * 64, sums, sizeof sums);
}

static void fast_focal_loss(quintet_pool *pool, quintet_layout layout, const float *logits, const uint8_t *target,
                            const quintet_focal *focal, double scale, float *gradient, quintet_loss_figures *figures) {
    double others = focal->smooth / (layout.channels - 1), voxels = layer_voxels(layout);
    int tasks = layout.depth * layer_parts(layout.height, focal_rows(layout));
    double *sums = call_sums((size_t)tasks * 64);
    focal_job job = {layout, logits, target, focal, gradient, (float)(others + focal->smooth),
                     (float)(1 - focal->smooth - others), (float)(scale / voxels), sums};
    quintet_pool_run(pool, tasks, focal_task, &job);
    figures->loss = sum_of_tasks(tasks, 4, 0, sums) / voxels;
    figures->intersection = (int64_t)sum_of_tasks(tasks, 4, 1, sums);
    figures->predicted = (int64_t)sum_of_tasks(tasks, 4, 2, sums);
    figures->truth = (int64_t)sum_of_tasks(tasks, 4, 3, sums);
}
#endif
