// Bilinear and trilinear up-sampling and its gradient. A fine row lies between at most two coarse rows along each of
// the two other axes: those are mixed into one row first, which is then mixed along the width. The gradient gathers: a
// coarse row mixes the fine rows that have read it, in ascending order. Included once per instruction set.
#ifndef QUINTET_UPSAMPLING_FAST_H
#define QUINTET_UPSAMPLING_FAST_H

// A fine place lies between two coarse ones; of_low + of_high = 1.
typedef struct { int low, high; float of_low, of_high; } fine_place;
// The fine places that read a coarse one, and how much of it.
enum { READERS_MAX = 8 };
typedef struct { int first, count; float weights[READERS_MAX]; } coarse_place;

// Along one axis.
typedef struct {
    const fine_place *fine;
    const coarse_place *coarse;
} linear_axis;

typedef struct {
    const quintet_resampling *resampling;
    linear_axis axes[3];
    const float *from;
    float *to;
    int accumulate;
} linear_job;

// Between voxel centres: place o lies at (o + 1/2) / factor - 1/2, not before the first. Between corners: at
// o (coarse - 1) / (fine - 1).
static void find_fine_places(int coarse, int factor, int corners, fine_place *places) {
    int fine = coarse * factor;
    for (int o = 0; o < fine; o++) {
        double at = factor == 1 ? o : (o + 0.5) / factor - 0.5;
        if (corners && factor > 1) at = (double)((long)o * (coarse - 1)) / (fine - 1);
        if (at < 0) at = 0;
        int low = (int)at, high = low + 1 < coarse ? low + 1 : low;
        places[o] = (fine_place){low, high, (float)(1 - (at - low)), (float)(at - low)};
    }
}

static void find_coarse_places(int coarse, int fine, const fine_place *places, coarse_place *readers) {
    for (int i = 0; i < coarse; i++) readers[i] = (coarse_place){0, 0, {0}};
    for (int o = 0; o < fine; o++)
        for (int side = 0; side < 2; side++) {
            float weight = side ? places[o].of_high : places[o].of_low;
            coarse_place *own = readers + (side ? places[o].high : places[o].low);
            if (weight == 0) continue;
            if (own->count == 0) own->first = o;
            own->count = o - own->first + 1;
            own->weights[o - own->first] += weight;
        }
}

// The tables of all axes, in memory of this call.
static linear_job linear_job_of(const quintet_resampling *resampling, int corners) {
    quintet_layout fine = resampling->fine, coarse = resampling->coarse;
    const int sizes[3] = {coarse.depth, coarse.height, coarse.width};
    const int factors[3] = {resampling->depth_factor, resampling->height_factor, resampling->width_factor};
    size_t fines = (size_t)fine.depth + fine.height + fine.width;
    size_t coarses = (size_t)coarse.depth + coarse.height + coarse.width;
    size_t bytes = fines * sizeof(fine_place) + coarses * sizeof(coarse_place);
    fine_place *places = (fine_place *)quintet_call_scratch(bytes / sizeof(float));
    coarse_place *readers = (coarse_place *)(places + fines);
    linear_job job = {.resampling = resampling};
    for (int axis = 0; axis < 3; axis++) {
        find_fine_places(sizes[axis], factors[axis], corners, places);
        find_coarse_places(sizes[axis], sizes[axis] * factors[axis], places, readers);
        job.axes[axis] = (linear_axis){places, readers};
        places += sizes[axis] * factors[axis];
        readers += sizes[axis];
    }
    return job;
}

// mixed (+)= weight * row.
INLINE void mix_row(float *mixed, const float *row, long floats, float weight, int first) {
    for (long i = 0; i < floats; i += 16) {
        v16 v = load_some(row + i, floats - i);
        STORE(mixed + i, first ? v * weight : FMA(v, SPLAT(weight), LOAD(mixed + i)));
    }
}

// One fine row along the width: of a blocked tensor voxel by voxel, of a planar one float by float.
INLINE void widen_row(const linear_job *job, const float *mixed, float *to) {
    const fine_place *places = job->axes[2].fine;
    int width = job->resampling->fine.width;
    if (job->resampling->fine.planar) {
        for (int w = 0; w < width; w++)
            to[w] = __builtin_fmaf(mixed[places[w].high], places[w].of_high, mixed[places[w].low] * places[w].of_low);
        return;
    }
    for (int w = 0; w < width; w++) {
        v16 low = LOAD(mixed + places[w].low * 16L), high = LOAD(mixed + places[w].high * 16L);
        STORE(to + w * 16L, FMA(high, SPLAT(places[w].of_high), low * places[w].of_low));
    }
}

static void upsample_task(void *context, int index) {
    const linear_job *job = context;
    quintet_layout fine = job->resampling->fine, coarse = job->resampling->coarse;
    layer_band band = layer_band_of(fine, index);
    long floats = layer_row_floats(coarse);
    float *mixed = quintet_thread_scratch((size_t)floats + 16);
    fine_place d = job->axes[0].fine[band.d];
    for (int row = band.first; row < band.end; row++) {
        fine_place h = job->axes[1].fine[row];
        int first = 1;
        for (int corner = 0; corner < 4; corner++) {
            float weight = (corner / 2 ? d.of_high : d.of_low) * (corner % 2 ? h.of_high : h.of_low);
            if (weight == 0) continue;
            long at = quintet_row(coarse, band.block, corner / 2 ? d.high : d.low, corner % 2 ? h.high : h.low);
            mix_row(mixed, job->from + at, floats, weight, first);
            first = 0;
        }
        widen_row(job, mixed, job->to + quintet_row(fine, band.block, band.d, row));
    }
}

static void fast_upsample_linear(quintet_pool *pool, const quintet_resampling *resampling, int corners, const float *x,
                                 float *y) {
    linear_job job = linear_job_of(resampling, corners);
    job.from = x, job.to = y;
    quintet_pool_run(pool, layer_tasks(resampling->fine), upsample_task, &job);
}

// One coarse row along the width, from the mixed fine one.
INLINE void narrow_row(const linear_job *job, const float *mixed, float *to) {
    const coarse_place *readers = job->axes[2].coarse;
    int width = job->resampling->coarse.width;
    for (int w = 0; w < width; w++) {
        const coarse_place own = readers[w];
        if (job->resampling->coarse.planar) {
            float sum = 0;
            for (int i = 0; i < own.count; i++) sum = __builtin_fmaf(mixed[own.first + i], own.weights[i], sum);
            to[w] = job->accumulate ? to[w] + sum : sum;
            continue;
        }
        v16 sum = SPLAT(0);
        for (int i = 0; i < own.count; i++)
            sum = FMA(LOAD(mixed + (own.first + i) * 16L), SPLAT(own.weights[i]), sum);
        STORE(to + w * 16L, job->accumulate ? LOAD(to + w * 16L) + sum : sum);
    }
}

static void upsample_gradient_task(void *context, int index) {
    const linear_job *job = context;
    quintet_layout fine = job->resampling->fine, coarse = job->resampling->coarse;
    layer_band band = layer_band_of(coarse, index);
    long floats = layer_row_floats(fine);
    float *mixed = quintet_thread_scratch((size_t)floats + 16);
    const coarse_place *d = job->axes[0].coarse + band.d;
    for (int row = band.first; row < band.end; row++) {
        const coarse_place *h = job->axes[1].coarse + row;
        for (int i = 0; i < d->count; i++)
            for (int j = 0; j < h->count; j++) {
                long at = quintet_row(fine, band.block, d->first + i, h->first + j);
                mix_row(mixed, job->from + at, floats, d->weights[i] * h->weights[j], i + j == 0);
            }
        narrow_row(job, mixed, job->to + quintet_row(coarse, band.block, band.d, row));
    }
}

static void fast_upsample_linear_gradient(quintet_pool *pool, const quintet_resampling *resampling, int corners,
                                          const float *y_gradient, float *x_gradient, int accumulate) {
    linear_job job = linear_job_of(resampling, corners);
    job.from = y_gradient, job.to = x_gradient, job.accumulate = accumulate;
    quintet_pool_run(pool, layer_tasks(resampling->coarse), upsample_gradient_task, &job);
}
#endif
