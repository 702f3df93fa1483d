// Pooling and nearest neighbours by 1 or 2 along each axis. A coarse voxel's children are read, or written, together;
// along a planar row they are every second of two vectors. Included once per instruction set.
#ifndef QUINTET_POOLING_FAST_H
#define QUINTET_POOLING_FAST_H

typedef struct {
    const quintet_resampling *resampling;
    const float *x, *y;
    float *to;
    float share;
    int accumulate;
} pooling_job;

// Where 16 coarse floats have their children: fine rows of child (kd, kh) begin at rows[kd * 2 + kh], and `at` counts
// coarse floats from the row's start.
typedef struct {
    long rows[4], at, count;
    int depth_factor, height_factor, width_factor, planar;
} children;

// Of coarse row (d, h).
INLINE children children_of(const quintet_resampling *resampling, int block, int d, int h) {
    children all = {.depth_factor = resampling->depth_factor, .height_factor = resampling->height_factor,
                    .width_factor = resampling->width_factor, .planar = resampling->fine.planar};
    for (int kd = 0; kd < all.depth_factor; kd++)
        for (int kh = 0; kh < all.height_factor; kh++)
            all.rows[kd * 2 + kh] =
                quintet_row(resampling->fine, block, d * all.depth_factor + kd, h * all.height_factor + kh);
    all.count = layer_row_floats(resampling->coarse);
    return all;
}

// Blocked: a voxel is a vector, its children along the row are neighbouring vectors.
INLINE v16 load_child(const children *all, const float *row, int kw) {
    long left = all->count - all->at;
    if (!all->planar) return LOAD(row + all->at * all->width_factor + kw * 16);
    if (all->width_factor == 1) return load_some(row + all->at, left);
    v16 low = load_some(row + 2 * all->at, 2 * left);
    v16 high = left > 8 ? load_some(row + 2 * all->at + 16, 2 * left - 16) : SPLAT(0);
    if (kw == 0)
        return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

INLINE void put(float *to, long count, v16 v, int accumulate) {
    store_some(to, count, accumulate ? load_some(to, count) + v : v);
}
// All children along one row: values[kw].
INLINE void store_children(const children *all, float *row, const v16 *values, int accumulate) {
    long left = all->count - all->at;
    if (!all->planar) {
        for (int kw = 0; kw < all->width_factor; kw++)
            put(row + all->at * all->width_factor + kw * 16, 16, values[kw], accumulate);
    } else if (all->width_factor == 1) {
        put(row + all->at, left, values[0], accumulate);
    } else {
        v16 low = __builtin_shufflevector(values[0], values[1], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        v16 high = __builtin_shufflevector(values[0], values[1], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30,
                                           15, 31);
        put(row + 2 * all->at, 2 * left, low, accumulate);
        if (left > 8) put(row + 2 * all->at + 16, 2 * left - 16, high, accumulate);
    }
}

#define EACH_CHILD_ROW(all, kd, kh) \
    for (int kd = 0; kd < (all).depth_factor; kd++) \
        for (int kh = 0; kh < (all).height_factor; kh++)

// The largest child, and which it is: the first one, as v > top is false for those that equal it. What is not a number
// is larger than all, as in PyTorch.
INLINE v16 largest_child(const children *all, const float *x, i16 *which) {
    v16 top = SPLAT(0);
    i16 best = 0;
    int child = 0;
    EACH_CHILD_ROW(*all, kd, kh)
        for (int kw = 0; kw < all->width_factor; kw++, child++) {
            v16 v = load_child(all, x + all->rows[kd * 2 + kh], kw);
            i16 larger = child == 0 ? (i16)-1 : (i16)((v > top) | (v != v));
            top = SELECT(larger, v, top);
            best = ((i16)child & larger) | (best & ~larger);
        }
    *which = best;
    return top;
}

static void pool_maximum_task(void *context, int index) {
    const pooling_job *job = context;
    const quintet_resampling *resampling = job->resampling;
    layer_band band = layer_band_of(resampling->coarse, index);
    for (int h = band.first; h < band.end; h++) {
        children all = children_of(resampling, band.block, band.d, h);
        float *to = job->to + quintet_row(resampling->coarse, band.block, band.d, h);
        i16 which;
        for (; all.at < all.count; all.at += 16)
            store_some(to + all.at, all.count - all.at, largest_child(&all, job->x, &which));
    }
}
static void sum_fine_task(void *context, int index) {
    const pooling_job *job = context;
    const quintet_resampling *resampling = job->resampling;
    layer_band band = layer_band_of(resampling->coarse, index);
    for (int h = band.first; h < band.end; h++) {
        children all = children_of(resampling, band.block, band.d, h);
        float *to = job->to + quintet_row(resampling->coarse, band.block, band.d, h);
        for (; all.at < all.count; all.at += 16) {
            v16 sum = SPLAT(0);
            EACH_CHILD_ROW(all, kd, kh)
                for (int kw = 0; kw < all.width_factor; kw++)
                    sum += load_child(&all, job->x + all.rows[kd * 2 + kh], kw);
            put(to + all.at, all.count - all.at, sum * job->share, job->accumulate);
        }
    }
}

static void fast_pool_maximum(quintet_pool *pool, const quintet_resampling *resampling, const float *x, float *y) {
    pooling_job job = {.resampling = resampling, .x = x, .to = y};
    quintet_pool_run(pool, layer_tasks(resampling->coarse), pool_maximum_task, &job);
}
static void fast_sum_fine(quintet_pool *pool, const quintet_resampling *resampling, float share, const float *x,
                          float *y, int accumulate) {
    pooling_job job = {resampling, x, NULL, y, share, accumulate};
    quintet_pool_run(pool, layer_tasks(resampling->coarse), sum_fine_task, &job);
}

// Fine rows of one coarse row; job->x is there for a maximum, job->y is the coarse tensor.
INLINE void spread_row(const pooling_job *job, int block, int d, int h) {
    children all = children_of(job->resampling, block, d, h);
    const float *from = job->y + quintet_row(job->resampling->coarse, block, d, h);
    for (; all.at < all.count; all.at += 16) {
        v16 g = load_some(from + all.at, all.count - all.at) * job->share, values[2] = {g, g};
        i16 which = 0;
        if (job->x) largest_child(&all, job->x, &which);
        int child = 0;
        EACH_CHILD_ROW(all, kd, kh) {
            for (int kw = 0; kw < all.width_factor; kw++, child++)
                if (job->x) values[kw] = SELECT(which == child, g, SPLAT(0));
            store_children(&all, job->to + all.rows[kd * 2 + kh], values, job->accumulate);
        }
    }
}

// Floats of a fine row that no coarse voxel covers, from `covered` on, get nothing: zero.
INLINE void clear_rest(const pooling_job *job, int block, int d, int h, long covered) {
    quintet_layout fine = job->resampling->fine;
    float *row = job->to + quintet_row(fine, block, d, h);
    for (long i = covered; i < layer_row_floats(fine) && !job->accumulate; i++) row[i] = 0;
}

// The fine tensor is cut by coarse rows, those that would only be half there among them.
typedef struct { int planes, rows, band_rows, bands; } spread_cut;
INLINE spread_cut spread_cut_of(const quintet_resampling *resampling) {
    int rows = layer_parts(resampling->fine.height, resampling->height_factor);
    int band_rows = layer_band_rows(rows, layer_row_floats(resampling->fine));
    return (spread_cut){layer_parts(resampling->fine.depth, resampling->depth_factor), rows, band_rows,
                        layer_parts(rows, band_rows)};
}

static void spread_task(void *context, int index) {
    const pooling_job *job = context;
    const quintet_resampling *resampling = job->resampling;
    quintet_layout fine = resampling->fine, coarse = resampling->coarse;
    spread_cut cut = spread_cut_of(resampling);
    int plane = index / cut.bands, first = index % cut.bands * cut.band_rows;
    int block = plane / cut.planes, d = plane % cut.planes;
    for (int h = first; h < first + cut.band_rows && h < cut.rows; h++) {
        int whole = d < coarse.depth && h < coarse.height;
        if (whole) spread_row(job, block, d, h);
        long covered = whole ? layer_row_floats(coarse) * resampling->width_factor : 0;
        for (int kd = 0; kd < resampling->depth_factor; kd++)
            for (int kh = 0; kh < resampling->height_factor; kh++) {
                int own = d * resampling->depth_factor + kd, row = h * resampling->height_factor + kh;
                if (own < fine.depth && row < fine.height) clear_rest(job, block, own, row, covered);
            }
    }
}

static void spread(quintet_pool *pool, const pooling_job *job) {
    spread_cut cut = spread_cut_of(job->resampling);
    quintet_pool_run(pool, layer_blocks(job->resampling->fine) * cut.planes * cut.bands, spread_task, (void *)job);
}
static void fast_pool_maximum_gradient(quintet_pool *pool, const quintet_resampling *resampling, const float *x,
                                       const float *y_gradient, float *x_gradient, int accumulate) {
    spread(pool, &(pooling_job){resampling, x, y_gradient, x_gradient, 1, accumulate});
}
static void fast_spread_coarse(quintet_pool *pool, const quintet_resampling *resampling, float share, const float *y,
                               float *x, int accumulate) {
    spread(pool, &(pooling_job){resampling, NULL, y, x, share, accumulate});
}
#endif
