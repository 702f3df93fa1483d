// Group, instance, layer and batch norm with an affine map and activations before and after. One pass reads the tensor
// for its statistics, one normalises it; the gradient takes two as well. A task is a band of one block's or planar
// channel's plane; its sums are doubles, one for each lane, and are added in the order of tasks. Included once per
// instruction set.
#ifndef QUINTET_AFFINE_NORM_FAST_H
#define QUINTET_AFFINE_NORM_FAST_H

typedef struct {
    const quintet_affine_norm *norm;
    const float *x, *statistics, *scale, *shift, *y_gradient;
    float *y;
    // [task][kinds][16]
    double *sums;
    // Of every sample and place, as the statistics lie: the parts of the gradient that mean and variance take.
    const float *means;
} affine_job;

// A block's lanes of channels' values, 0 in padding; of a planar channel the same in all.
INLINE v16 channel_lanes(quintet_layout layout, const float *values, int block, float otherwise) {
    if (layout.planar) return SPLAT(values ? values[block] : otherwise);
    float lane[16];
    for (int l = 0; l < 16; l++) {
        int channel = quintet_channel(layout, block * 16 + l);
        lane[l] = channel < 0 ? 0 : values ? values[channel] : otherwise;
    }
    return LOAD_ANY(lane);
}

// A block's lanes of a table [sample][2][places].
INLINE v16 place_lanes(const quintet_affine_norm *norm, const float *table, int which, layer_band band) {
    int places = layer_places(norm->layout), sample = norm->layout.flat && !norm->batch ? band.d : 0;
    const float *values = table + ((long)sample * 2 + which) * places;
    return norm->layout.planar ? SPLAT(values[band.block]) : LOAD_ANY(values + band.block * 16);
}

static void affine_statistics_task(void *context, int index) {
    const affine_job *job = context;
    quintet_layout layout = job->norm->layout;
    layer_band band = layer_band_of(layout, index);
    long floats = layer_row_floats(layout);
    d16 sum = 0, square = 0;
    for (int h = band.first; h < band.end; h++) {
        const float *row = job->x + quintet_row(layout, band.block, band.d, h);
        for (long i = 0; i < floats; i += 16) {
            d16 v = WIDEN(activated(job->norm->before, load_some(row + i, floats - i)));
            sum += v;
            square = FMA(v, v, square);
        }
    }
    memcpy(job->sums + (long)index * 32, &sum, sizeof sum);
    memcpy(job->sums + (long)index * 32 + 16, &square, sizeof square);
}

// Adds the sums of the planes that share statistics, in the order of tasks: totals [places][kinds].
SEPARATE void add_planes(quintet_layout layout, int kinds, const double *sums, int first, int end, double *totals) {
    int bands = layer_bands(layout), lanes = layer_lanes(layout);
    for (int block = 0; block < layer_blocks(layout); block++)
        for (int kind = 0; kind < kinds; kind++) {
            double total[16] = {0};
            for (int task = first * bands; task < end * bands; task++) {
                long slot = (long)block * layout.depth * bands + task;
                for (int l = 0; l < 16; l++) total[l] += sums[(slot * kinds + kind) * 16 + l];
            }
            for (int l = 1; l < 16 && layout.planar; l++) total[0] += total[l];
            for (int l = 0; l < lanes; l++) totals[((long)block * lanes + l) * kinds + kind] = total[l];
        }
}

// The planes of a sample, or of all where they share statistics.
typedef struct { int samples, planes; double voxels; } affine_samples;

INLINE affine_samples samples_of(const quintet_affine_norm *norm) {
    quintet_layout layout = norm->layout;
    int samples = norm->batch ? 1 : layer_samples(layout), planes = layout.depth / samples;
    return (affine_samples){samples, planes, (double)planes * layout.height * layout.width};
}

static void fast_affine_norm_statistics(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                        float *statistics) {
    quintet_layout layout = norm->layout;
    int tasks = layer_tasks(layout), places = layer_places(layout), in_group = layout.channels / norm->groups;
    affine_samples samples = samples_of(norm);
    double *sums = call_sums((size_t)tasks * 32 + (size_t)places * 2), *totals = sums + (size_t)tasks * 32;
    affine_job job = {.norm = norm, .x = x, .sums = sums};
    quintet_pool_run(pool, tasks, affine_statistics_task, &job);
    for (int sample = 0; sample < samples.samples; sample++) {
        float *own = statistics + (long)sample * 2 * places;
        add_planes(layout, 2, sums, sample * samples.planes, (sample + 1) * samples.planes, totals);
        for (int first = 0; first < layout.channels; first += in_group) {
            double sum = 0, square = 0, count = samples.voxels * in_group;
            for (int c = first; c < first + in_group; c++) {
                sum += totals[layer_place(layout, c) * 2];
                square += totals[layer_place(layout, c) * 2 + 1];
            }
            double mean = sum / count, variance = square / count - mean * mean;
            for (int c = first; c < first + in_group; c++) {
                own[layer_place(layout, c)] = (float)mean;
                // A variance that is not a number stays so.
                own[places + layer_place(layout, c)] =
                    (float)(1 / __builtin_sqrt((variance < 0 ? 0 : variance) + 1e-5));
            }
        }
    }
}

static void affine_forward_task(void *context, int index) {
    const affine_job *job = context;
    const quintet_affine_norm *norm = job->norm;
    quintet_layout layout = norm->layout;
    layer_band band = layer_band_of(layout, index);
    long floats = layer_row_floats(layout);
    v16 mean = place_lanes(norm, job->statistics, 0, band), shift = channel_lanes(layout, job->shift, band.block, 0);
    v16 factor = place_lanes(norm, job->statistics, 1, band) * channel_lanes(layout, job->scale, band.block, 1);
    for (int h = band.first; h < band.end; h++) {
        long at = quintet_row(layout, band.block, band.d, h);
        for (long i = 0; i < floats; i += 16) {
            v16 x = activated(norm->before, load_some(job->x + at + i, floats - i));
            store_some(job->y + at + i, floats - i, activated(norm->after, FMA(x - mean, factor, shift)));
        }
    }
}

static void fast_affine_norm_forward(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                     const float *statistics, const float *scale, const float *shift, float *y) {
    affine_job job = {.norm = norm, .x = x, .statistics = statistics, .scale = scale, .shift = shift, .y = y};
    quintet_pool_run(pool, layer_tasks(norm->layout), affine_forward_task, &job);
}

// Sums of g, g * u and the slope's gradient, with u the normalised x and g the gradient of what follows the affine map.
static void affine_gradient_sums_task(void *context, int index) {
    const affine_job *job = context;
    const quintet_affine_norm *norm = job->norm;
    quintet_layout layout = norm->layout;
    layer_band band = layer_band_of(layout, index);
    long floats = layer_row_floats(layout);
    v16 mean = place_lanes(norm, job->statistics, 0, band), inverse = place_lanes(norm, job->statistics, 1, band);
    v16 factor = inverse * channel_lanes(layout, job->scale, band.block, 1);
    v16 shift = channel_lanes(layout, job->shift, band.block, 0);
    d16 sums[3] = {0};
    for (int h = band.first; h < band.end; h++) {
        long at = quintet_row(layout, band.block, band.d, h);
        // Float within a row, double between rows.
        v16 sum = SPLAT(0), product = SPLAT(0), slopes = SPLAT(0);
        for (long i = 0; i < floats; i += 16) {
            v16 x = activated(norm->before, load_some(job->x + at + i, floats - i)) - mean;
            v16 g = load_some(job->y_gradient + at + i, floats - i), v = FMA(x, factor, shift);
            if (norm->after.kind == QUINTET_PRELU) slopes = FMA(g, SELECT(v > 0, SPLAT(0), v), slopes);
            g = activation_gradient(norm->after, v, g);
            sum += g;
            product = FMA(g, x * inverse, product);
        }
        sums[0] += WIDEN(sum);
        sums[1] += WIDEN(product);
        sums[2] += WIDEN(slopes);
    }
    memcpy(job->sums + (long)index * 48, sums, sizeof sums);
}

// dx = inverse * (scale g - mean of scale g - u * mean of scale g u), the means over a group, and through `before`.
static void affine_gradient_task(void *context, int index) {
    const affine_job *job = context;
    const quintet_affine_norm *norm = job->norm;
    quintet_layout layout = norm->layout;
    layer_band band = layer_band_of(layout, index);
    long floats = layer_row_floats(layout);
    v16 mean = place_lanes(norm, job->statistics, 0, band), inverse = place_lanes(norm, job->statistics, 1, band);
    v16 scale = channel_lanes(layout, job->scale, band.block, 1), factor = inverse * scale;
    v16 shift = channel_lanes(layout, job->shift, band.block, 0);
    v16 sum = place_lanes(norm, job->means, 0, band), product = place_lanes(norm, job->means, 1, band);
    for (int h = band.first; h < band.end; h++) {
        long at = quintet_row(layout, band.block, band.d, h);
        for (long i = 0; i < floats; i += 16) {
            v16 from = load_some(job->x + at + i, floats - i), x = activated(norm->before, from) - mean;
            v16 g = activation_gradient(norm->after, FMA(x, factor, shift),
                                        load_some(job->y_gradient + at + i, floats - i));
            g = inverse * (g * scale - sum - x * inverse * product);
            store_some(job->y + at + i, floats - i, activation_gradient(norm->before, from, g));
        }
    }
}

// From a sample's totals [places][3] to the means over each group, and to the sums of scale's and shift's gradients.
SEPARATE void group_means(const affine_job *job, const double *totals, double voxels, float *means, double *scales,
                          double *shifts) {
    quintet_layout layout = job->norm->layout;
    int places = layer_places(layout), in_group = layout.channels / job->norm->groups;
    for (int place = 0; place < 2 * places; place++) means[place] = 0;
    for (int first = 0; first < layout.channels; first += in_group) {
        double sum = 0, product = 0, count = voxels * in_group;
        for (int c = first; c < first + in_group; c++) {
            const double *own = totals + layer_place(layout, c) * 3L;
            double scale = job->scale ? job->scale[c] : 1;
            sum += scale * own[0];
            product += scale * own[1];
            shifts[c] += own[0];
            scales[c] += own[1];
        }
        for (int c = first; c < first + in_group; c++) {
            means[layer_place(layout, c)] = (float)(sum / count);
            means[places + layer_place(layout, c)] = (float)(product / count);
        }
    }
}

static double fast_affine_norm_gradient(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                        const float *statistics, const float *scale, const float *shift,
                                        const float *y_gradient, float *x_gradient, float *scale_gradient,
                                        float *shift_gradient) {
    quintet_layout layout = norm->layout;
    int tasks = layer_tasks(layout), places = layer_places(layout);
    affine_samples samples = samples_of(norm);
    size_t slots = (size_t)tasks * 48, means_floats = (size_t)samples.samples * 2 * places;
    double *sums = call_sums(slots + (size_t)places * 5 + means_floats), *totals = sums + slots;
    double *scales = totals + (size_t)places * 3, *shifts = scales + places;
    float *means = (float *)(shifts + places);
    affine_job job = {norm, x, statistics, scale, shift, y_gradient, x_gradient, sums, means};
    quintet_pool_run(pool, tasks, affine_gradient_sums_task, &job);
    for (int c = 0; c < places; c++) scales[c] = shifts[c] = 0;
    for (int sample = 0; sample < samples.samples; sample++) {
        add_planes(layout, 3, sums, sample * samples.planes, (sample + 1) * samples.planes, totals);
        group_means(&job, totals, samples.voxels, means + (long)sample * 2 * places, scales, shifts);
    }
    for (int c = 0; c < layout.channels; c++) {
        if (scale_gradient) scale_gradient[c] += (float)scales[c];
        if (shift_gradient) shift_gradient[c] += (float)shifts[c];
    }
    quintet_pool_run(pool, tasks, affine_gradient_task, &job);
    return norm->after.kind == QUINTET_PRELU ? sum_of_tasks(tasks, 3, 2, sums) : 0;
}
#endif
