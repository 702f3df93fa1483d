// Instance norm with PReLU, forward and backward, and sums over voxels. A slot is one depth plane of one block (or
// planar channel): sums stay in double, one per lane, and slots are added in order (conv_sums.h). Included once per
// instruction set.
#ifndef QUINTET_NORM_FAST_H
#define QUINTET_NORM_FAST_H

typedef struct {
    quintet_layout layout;
    const float *x, *statistics, *slope, *y_gradient, *residual;
    float *y;
    double *scratch;
    // Means over voxels of the gradient and of gradient * normalised x, for each lane of each block.
    const float *means;
} norm_job;

// Vectors in a row: a voxel each (blocked) or 16 voxels each (planar).
INLINE int row_vectors(quintet_layout layout) { return layout.planar ? (layout.width + 15) / 16 : layout.width; }
INLINE v16 row_load(quintet_layout layout, const float *row, int i) {
    return layout.planar ? load_some(row + i * 16, layout.width - i * 16) : LOAD(row + i * 16);
}
INLINE void row_store(quintet_layout layout, float *row, int i, v16 v) {
    int count = layout.width - i * 16;
    if (!layout.planar) STORE(row + i * 16, v);
    else if (count >= 16) STORE_ANY(row + i * 16, v);
    else for (int l = 0; l < count; l++) row[i * 16 + l] = v[l];
}

INLINE v16 statistic(const norm_job *job, int which, int block) {
    const float *values = job->statistics + which * row_blocks(job->layout) * (job->layout.planar ? 1 : 16);
    return job->layout.planar ? SPLAT(values[block]) : LOAD_ANY(values + block * 16);
}

// scratch [block][depth][2][16]: sum of x, sum of x squared.
INLINE void statistics_slot(norm_job *job, quintet_layout layout, int index) {
    int d = index % layout.depth, block = index / layout.depth;
    d16 sum = 0, square = 0;
    for (int h = 0; h < layout.height; h++) {
        const float *x = job->x + quintet_row(layout, block, d, h);
        for (int i = 0; i < row_vectors(layout); i++) {
            d16 v = WIDEN(row_load(layout, x, i));
            sum += v;
            square = FMA(v, v, square);
        }
    }
    memcpy(job->scratch + (long)index * 32, &sum, sizeof sum);
    memcpy(job->scratch + (long)index * 32 + 16, &square, sizeof square);
}
static void statistics_task(void *context, int index) {
    norm_job *job = context;
    // The compiler makes two loops of this: the layout's kind is known in each.
    quintet_layout layout = job->layout;
    if (layout.planar) { layout.planar = 1; statistics_slot(job, layout, index); }
    else { layout.planar = 0; statistics_slot(job, layout, index); }
}

static void fast_norm_statistics(quintet_pool *pool, quintet_layout layout, const float *x, double *scratch,
                                 float *statistics) {
    norm_job job = {.layout = layout, .x = x, .scratch = scratch};
    quintet_pool_run(pool, row_blocks(layout) * layout.depth, statistics_task, &job);
    statistics_of_sums(&(norm_sums){layout, layout.depth, scratch}, statistics);
}

// Of a convolution's result, as far as anybody wants them: from what its tasks have summed up, or by a pass over it.
static void write_statistics(quintet_pool *pool, const quintet_result_statistics *wanted, const norm_sums *norm,
                             const float *result) {
    if (!wanted) return;
    if (norm->sums) statistics_of_sums(norm, wanted->statistics);
    else fast_norm_statistics(pool, wanted->layout, result, wanted->scratch, wanted->statistics);
}

INLINE void activate_slot(const norm_job *job, quintet_layout layout, int index) {
    int d = index % layout.depth, block = index / layout.depth;
    v16 mean = statistic(job, 0, block), inverse = statistic(job, 1, block), slope = SPLAT(*job->slope);
    for (int h = 0; h < layout.height; h++) {
        long row = quintet_row(layout, block, d, h);
        for (int i = 0; i < row_vectors(layout); i++) {
            v16 u = (row_load(layout, job->x + row, i) - mean) * inverse;
            u = SELECT(u > 0, u, u * slope);
            if (job->residual) u += row_load(layout, job->residual + row, i);
            row_store(layout, job->y + row, i, u);
        }
    }
}
static void activate_task(void *context, int index) {
    const norm_job *job = context;
    quintet_layout layout = job->layout;
    if (layout.planar) { layout.planar = 1; activate_slot(job, layout, index); }
    else { layout.planar = 0; activate_slot(job, layout, index); }
}

static void fast_norm_activate(quintet_pool *pool, quintet_layout layout, const float *x, const float *statistics,
                               const float *slope, const float *residual, float *y) {
    norm_job job = {.layout = layout, .x = x, .statistics = statistics, .slope = slope, .residual = residual, .y = y};
    quintet_pool_run(pool, row_blocks(layout) * layout.depth, activate_task, &job);
}

// scratch [block][depth][3][16]: sums of g, of g * u and of the slope's gradient, where u is normalised x and g the
// gradient with respect to it before the norm's own correction.
INLINE void gradient_sums_slot(const norm_job *job, quintet_layout layout, int index) {
    int d = index % layout.depth, block = index / layout.depth;
    v16 mean = statistic(job, 0, block), inverse = statistic(job, 1, block), slope = SPLAT(*job->slope);
    d16 sum = 0, product = 0, slopes = 0;
    for (int h = 0; h < layout.height; h++) {
        long row = quintet_row(layout, block, d, h);
        // Float within a row, double between rows: half the work and still far below a float's last bit in the mean.
        v16 s = SPLAT(0), p = SPLAT(0), q = SPLAT(0);
        for (int i = 0; i < row_vectors(layout); i++) {
            v16 u = (row_load(layout, job->x + row, i) - mean) * inverse;
            v16 g = row_load(layout, job->y_gradient + row, i);
            i16 positive = u > 0;
            q = FMA(g, SELECT(positive, SPLAT(0), u), q);
            g = SELECT(positive, g, g * slope);
            s += g;
            p = FMA(g, u, p);
        }
        sum += WIDEN(s);
        product += WIDEN(p);
        slopes += WIDEN(q);
    }
    memcpy(job->scratch + (long)index * 48, &sum, sizeof sum);
    memcpy(job->scratch + (long)index * 48 + 16, &product, sizeof product);
    memcpy(job->scratch + (long)index * 48 + 32, &slopes, sizeof slopes);
}
static void gradient_sums_task(void *context, int index) {
    const norm_job *job = context;
    quintet_layout layout = job->layout;
    if (layout.planar) { layout.planar = 1; gradient_sums_slot(job, layout, index); }
    else { layout.planar = 0; gradient_sums_slot(job, layout, index); }
}

INLINE void norm_gradient_slot(const norm_job *job, quintet_layout layout, int index) {
    int d = index % layout.depth, block = index / layout.depth;
    v16 mean = statistic(job, 0, block), inverse = statistic(job, 1, block), slope = SPLAT(*job->slope);
    v16 gradient_mean = LOAD_ANY(job->means + block * 32), product_mean = LOAD_ANY(job->means + block * 32 + 16);
    for (int h = 0; h < layout.height; h++) {
        long row = quintet_row(layout, block, d, h);
        for (int i = 0; i < row_vectors(layout); i++) {
            v16 u = (row_load(layout, job->x + row, i) - mean) * inverse;
            v16 g = row_load(layout, job->y_gradient + row, i);
            g = SELECT(u > 0, g, g * slope);
            row_store(layout, job->y + row, i, inverse * (g - gradient_mean - u * product_mean));
        }
    }
}
static void norm_gradient_task(void *context, int index) {
    const norm_job *job = context;
    quintet_layout layout = job->layout;
    if (layout.planar) { layout.planar = 1; norm_gradient_slot(job, layout, index); }
    else { layout.planar = 0; norm_gradient_slot(job, layout, index); }
}

static void fast_norm_activate_gradient(quintet_pool *pool, quintet_layout layout, const float *x,
                                        const float *statistics, const float *slope, const float *y_gradient,
                                        double *scratch, float *x_gradient, float *slope_gradient) {
    int blocks = row_blocks(layout);
    // The means lie behind the slots.
    float *means = (float *)(scratch + (long)blocks * layout.depth * 48);
    norm_job job = {layout, x, statistics, slope, y_gradient, NULL, x_gradient, scratch, means};
    quintet_pool_run(pool, blocks * layout.depth, gradient_sums_task, &job);
    double count = (double)layout.depth * layout.height * layout.width, total[48], slope_sum = 0;
    for (int block = 0; block < blocks; block++) {
        add_slots(layout.planar, layout.depth, scratch, block, 3, total);
        for (int l = 0; l < 16; l++) {
            int from = layout.planar ? 0 : l;
            means[block * 32 + l] = (float)(total[from] / count);
            means[block * 32 + 16 + l] = (float)(total[16 + from] / count);
            if (!layout.planar || l == 0) slope_sum += total[32 + l];
        }
    }
    quintet_pool_run(pool, blocks * layout.depth, norm_gradient_task, &job);
    *slope_gradient += (float)slope_sum;
}

// scratch [block][depth][16].
static void bias_task(void *context, int index) {
    const norm_job *job = context;
    quintet_layout layout = job->layout;
    int d = index % layout.depth, block = index / layout.depth;
    d16 sum = 0;
    for (int h = 0; h < layout.height; h++) {
        const float *x = job->x + quintet_row(layout, block, d, h);
        for (int i = 0; i < row_vectors(layout); i++) sum += WIDEN(row_load(layout, x, i));
    }
    memcpy(job->scratch + (long)index * 16, &sum, sizeof sum);
}

static void fast_bias_gradient(quintet_pool *pool, quintet_layout layout, const float *y_gradient, double *scratch,
                               float *gradient) {
    norm_job job = {.layout = layout, .x = y_gradient, .scratch = scratch};
    int blocks = row_blocks(layout);
    quintet_pool_run(pool, blocks * layout.depth, bias_task, &job);
    double total[16];
    for (int block = 0; block < blocks; block++) {
        add_slots(layout.planar, layout.depth, scratch, block, 1, total);
        for (int l = 0; l < (layout.planar ? 1 : 16); l++) {
            int channel = layout.planar ? block : quintet_channel(layout, block * 16 + l);
            if (channel >= 0) gradient[channel] += (float)total[l];
        }
    }
}

static void add_task(void *context, int index) {
    const norm_job *job = context;
    quintet_layout layout = job->layout;
    int d = index % layout.depth, block = index / layout.depth;
    for (int h = 0; h < layout.height; h++) {
        long row = quintet_row(layout, block, d, h);
        for (int i = 0; i < row_vectors(layout); i++)
            row_store(layout, job->y + row, i, row_load(layout, job->y + row, i) + row_load(layout, job->x + row, i));
    }
}

static void fast_add(quintet_pool *pool, quintet_layout layout, const float *x, float *y) {
    norm_job job = {.layout = layout, .x = x, .y = y};
    quintet_pool_run(pool, row_blocks(layout) * layout.depth, add_task, &job);
}
#endif
