// Winograd convolution of blocked tensors, 3x3x3 at stride 1 (Lavin and Gray, "Fast algorithms for convolutional neural
// networks", CVPR 2016): F(2,3) along depth and F(4,3) along height and width, so that a tile of 2x4x4 outputs takes
// 4x6x6 = 144 products instead of 864. Included once per instruction set; the lanes of a transform are channels, so its
// vector's width (LANES) changes no bit.
#ifndef QUINTET_CONV_WINOGRAD_H
#define QUINTET_CONV_WINOGRAD_H

// F(4,3) is taken at the points 0, infinity, +-NEAR and +-FAR. Points around 1 on both sides round half as much as the
// usual 1 and 2; these are fractions whose products and third powers are exact.
#define NEAR (5 / 8.0)
#define FAR (3 / 2.0)
enum { POINTS = 144, TILE_D = 2, TILE_H = 4, TILE_W = 4 };
typedef float lanes __attribute__((ext_vector_type(LANES)));
typedef float any_lanes __attribute__((ext_vector_type(LANES), aligned(4)));
#define LANE_SPLAT(x) ((lanes)(float)(x))
#define LANE_LOAD(p) ((lanes)(*(const any_lanes *)(p)))
#define LANE_STORE(p, v) (*(any_lanes *)(p) = (any_lanes)(v))

// B^T of F(4,3): six inputs to six points.
INLINE void input_points(lanes *d) {
    lanes a = LANE_SPLAT(NEAR), b = LANE_SPLAT(FAR), a2 = LANE_SPLAT(NEAR * NEAR), b2 = LANE_SPLAT(FAR * FAR);
    lanes both = LANE_SPLAT(NEAR * NEAR * FAR * FAR), either = LANE_SPLAT(NEAR * NEAR + FAR * FAR);
    lanes p = FMA(-b2, d[2], d[4]), q = FMA(-b2, d[1], d[3]), r = FMA(-a2, d[2], d[4]), s = FMA(-a2, d[1], d[3]);
    lanes first = FMA(both, d[0], FMA(-either, d[2], d[4])), last = FMA(both, d[1], FMA(-either, d[3], d[5]));
    d[0] = first;
    d[1] = FMA(a, q, p);
    d[2] = FMA(-a, q, p);
    d[3] = FMA(b, s, r);
    d[4] = FMA(-b, s, r);
    d[5] = last;
}

// A^T of F(4,3): six points to four outputs.
INLINE void output_values(lanes *m) {
    lanes a = LANE_SPLAT(NEAR), b = LANE_SPLAT(FAR), a2 = LANE_SPLAT(NEAR * NEAR), b2 = LANE_SPLAT(FAR * FAR);
    lanes a3 = LANE_SPLAT(NEAR * NEAR * NEAR), b3 = LANE_SPLAT(FAR * FAR * FAR);
    lanes p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    m[0] = m[0] + p + r;
    m[3] = FMA(b3, s, FMA(a3, q, m[5]));
    m[2] = FMA(b2, r, a2 * p);
    m[1] = FMA(b, s, a * q);
}

// A of F(4,3): four output gradients to six points.
INLINE void gradient_points(const lanes *y, lanes *o) {
    lanes a = LANE_SPLAT(NEAR), b = LANE_SPLAT(FAR), a2 = LANE_SPLAT(NEAR * NEAR), b2 = LANE_SPLAT(FAR * FAR);
    lanes e = FMA(a2, y[2], y[0]), f = FMA(a2, y[3], y[1]), g = FMA(b2, y[2], y[0]), h = FMA(b2, y[3], y[1]);
    o[0] = y[0];
    o[1] = FMA(a, f, e);
    o[2] = FMA(-a, f, e);
    o[3] = FMA(b, h, g);
    o[4] = FMA(-b, h, g);
    o[5] = y[3];
}

// One tile of one block, some lanes: x is the tile's first halo voxel, points lie `step` floats apart.
INLINE void transform_input(const float *x, quintet_steps at, float *points, long step) {
    lanes t[POINTS];
    for (int w = 0; w < 6; w++)
#pragma clang loop unroll(full)
        for (int d = 0; d < 4; d++) {
            // B^T of F(2,3): d0 - d2, d1 + d2, d2 - d1, d1 - d3.
            static const int first[4] = {0, 1, 2, 1}, second[4] = {2, 2, 1, 3};
            lanes r[6];
            for (int h = 0; h < 6; h++) {
                if (w >= 2) __builtin_prefetch(x + d * at.plane + h * at.row + (w + 4) * 16);
                lanes a = LANE_LOAD(x + first[d] * at.plane + h * at.row + w * 16);
                lanes b = LANE_LOAD(x + second[d] * at.plane + h * at.row + w * 16);
                r[h] = d == 1 ? a + b : a - b;
            }
            input_points(r);
            for (int h = 0; h < 6; h++) t[d * 36 + h * 6 + w] = r[h];
        }
    for (int j = 0; j < 24; j++) {
        lanes r[6];
        for (int w = 0; w < 6; w++) r[w] = t[j * 6 + w];
        input_points(r);
        for (int w = 0; w < 6; w++) LANE_STORE(points + (j * 6 + w) * step, r[w]);
    }
}

// Back from the points to 2x4x4 voxels; start is added (the bias, or zero), or what stands there already.
INLINE void transform_output(const float *points, long step, float *y, quintet_steps at, const float *start) {
    lanes t[48];
    for (int w = 0; w < 6; w++) {
        lanes low[6], high[6];
        for (int h = 0; h < 6; h++) {
            const float *m = points + (h * 6 + w) * step;
            lanes one = LANE_LOAD(m + 36 * step), two = LANE_LOAD(m + 72 * step);
            low[h] = LANE_LOAD(m) + one + two;
            high[h] = one - two - LANE_LOAD(m + 108 * step);
        }
        output_values(low);
        output_values(high);
        for (int h = 0; h < 4; h++) t[h * 6 + w] = low[h], t[24 + h * 6 + w] = high[h];
    }
    for (int j = 0; j < 8; j++) {
        lanes r[6];
        for (int w = 0; w < 6; w++) r[w] = t[j * 6 + w];
        output_values(r);
        float *row = y + j / 4 * at.plane + j % 4 * at.row;
        for (int w = 0; w < 4; w++)
            LANE_STORE(row + w * 16, r[w] + (start ? LANE_LOAD(start) : LANE_LOAD(row + w * 16)));
    }
}

// 2x4x4 output gradients to the points at which they meet the inputs.
INLINE void transform_gradient(const float *y, quintet_steps at, float *points, long step) {
    lanes t[48];
    for (int j = 0; j < 8; j++) {
        lanes r[4], o[6];
        for (int w = 0; w < 4; w++) r[w] = LANE_LOAD(y + j / 4 * at.plane + j % 4 * at.row + w * 16);
        gradient_points(r, o);
        for (int w = 0; w < 6; w++) t[j * 6 + w] = o[w];
    }
    for (int w = 0; w < 6; w++) {
        lanes r[4], low[6], high[6];
        for (int h = 0; h < 4; h++) r[h] = t[h * 6 + w];
        gradient_points(r, low);
        for (int h = 0; h < 4; h++) r[h] = t[24 + h * 6 + w];
        gradient_points(r, high);
        for (int h = 0; h < 6; h++) {
            float *m = points + (h * 6 + w) * step;
            LANE_STORE(m, low[h]);
            LANE_STORE(m + 36 * step, low[h] + high[h]);
            LANE_STORE(m + 72 * step, low[h] - high[h]);
            LANE_STORE(m + 108 * step, -high[h]);
        }
    }
}

SEPARATE void transform_input_16(const float *x, quintet_steps at, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) transform_input(x + l, at, points + l, step);
}
SEPARATE void transform_output_16(const float *points, long step, float *y, quintet_steps at, const float *start) {
    for (int l = 0; l < 16; l += LANES) transform_output(points + l, step, y + l, at, start ? start + l : NULL);
}
SEPARATE void transform_gradient_16(const float *y, quintet_steps at, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) transform_gradient(y + l, at, points + l, step);
}

typedef struct { int d, h, w; } tile_place;
enum { TILE_VOXELS = TILE_D * TILE_H * TILE_W };
static const tile_place tile_size = {TILE_D, TILE_H, TILE_W};

INLINE tile_place place_of_tile(quintet_layout layout, int tile) {
    int across = (layout.width + TILE_W - 1) / TILE_W, down = (layout.height + TILE_H - 1) / TILE_H;
    tile_place place = {tile / across / down * TILE_D, tile / across % down * TILE_H, tile % across * TILE_W};
    return place;
}

// Copies a box of voxels between a tensor and memory of its own; what lies outside the tensor reads as zeros.
static void copy_box(quintet_layout layout, int block, tile_place at, tile_place size, float *box, float *tensor,
                     int to_box) {
    for (int d = 0; d < size.d; d++)
        for (int h = 0; h < size.h; h++)
            for (int w = 0; w < size.w; w++, box += 16) {
                int z = at.d + d, y = at.h + h, x = at.w + w;
                int inside = z >= 0 && z < layout.depth && y >= 0 && y < layout.height && x >= 0 && x < layout.width;
                float *place = tensor + quintet_row(layout, block, z, y) + (long)x * 16;
                if (inside) memcpy(to_box ? box : place, to_box ? place : box, 64);
                else if (to_box) memset(box, 0, 64);
            }
}

INLINE quintet_steps steps_of_box(tile_place size) {
    quintet_steps steps = {size.w * 16, size.h * size.w * 16, 0};
    return steps;
}

// A box of voxels to read: where it lies when its tile is whole, else copied to `box`.
INLINE const float *box_of(quintet_layout layout, const float *x, int block, tile_place at, tile_place size, int whole,
                           float *box, quintet_steps *steps) {
    *steps = whole ? quintet_steps_of(layout) : steps_of_box(size);
    if (whole) return x + quintet_row(layout, block, at.d, at.h) + (long)at.w * 16;
    copy_box(layout, block, at, size, box, (float *)x, 1);
    return box;
}

INLINE int is_whole(quintet_layout layout, tile_place at) {
    return at.d + TILE_D <= layout.depth && at.h + TILE_H <= layout.height && at.w + TILE_W <= layout.width;
}

// Points of `count` tiles of every block: [POINTS][block][chunk][16], points `step` apart.
static void inputs_of_chunk(quintet_layout layout, const float *x, int blocks, int first, int count, int chunk,
                            float *points, long step) {
    float part[4 * 36 * 16] __attribute__((aligned(64)));
    quintet_steps steps;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < count; i++) {
            tile_place at = place_of_tile(layout, first + i);
            tile_place corner = {at.d - 1, at.h - 1, at.w - 1}, size = {4, 6, 6};
            const float *from = box_of(layout, x, b, corner, size, is_whole(layout, at), part, &steps);
            transform_input_16(from, steps, points + ((long)b * chunk + i) * 16, step);
        }
}

static void gradients_of_chunk(quintet_layout layout, const float *dy, int blocks, int first, int count, int chunk,
                               float *points, long step) {
    float part[TILE_VOXELS * 16] __attribute__((aligned(64)));
    quintet_steps steps;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < count; i++) {
            tile_place at = place_of_tile(layout, first + i);
            const float *from = box_of(layout, dy, b, at, tile_size, is_whole(layout, at), part, &steps);
            transform_gradient_16(from, steps, points + ((long)b * chunk + i) * 16, step);
        }
}

static void store_tile(const direct_job *job, int block, tile_place at, const float *points, long step,
                       const float *start) {
    if (is_whole(job->out_layout, at)) {
        float *y = job->out + quintet_row(job->out_layout, block, at.d, at.h) + at.w * 16;
        transform_output_16(points, step, y, quintet_steps_of(job->out_layout), job->accumulate ? NULL : start);
        return;
    }
    float part[TILE_VOXELS * 16] __attribute__((aligned(64)));
    if (job->accumulate) copy_box(job->out_layout, block, at, tile_size, part, job->out, 1);
    transform_output_16(points, step, part, steps_of_box(tile_size), job->accumulate ? NULL : start);
    copy_box(job->out_layout, block, at, tile_size, part, job->out, 0);
}

// What the norm behind a convolution wants to know of a box that was written, where it is inside the tensor.
INLINE void sum_box(const norm_sums *norm, const float *y, int block, tile_place at, tile_place size,
                    running_sums *own) {
    quintet_layout layout = norm->layout;
    int depth = layout.depth - at.d < size.d ? layout.depth - at.d : size.d;
    int height = layout.height - at.h < size.h ? layout.height - at.h : size.h;
    int width = layout.width - at.w < size.w ? layout.width - at.w : size.w;
    for (int d = 0; d < depth; d++)
        sum_blocked_rows(y + quintet_row(layout, block, at.d + d, at.h) + (long)at.w * 16,
                         quintet_steps_of(layout).row, height, width, own);
}

// One point of neighbouring tiles: y = inputs x weights, or added to y unless `fresh`, for all input blocks. Each
// block's products have a sum of their own: sums of few terms round less.
INLINE void point_strip(const int rows, const float *x, long x_block, const float *w, long w_block, int blocks,
                        float *y, int fresh) {
    for (int b = 0; b < blocks; b++, x += x_block, w += w_block) {
        v16 sum[ROWS_MAX];
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) sum[r] = SPLAT(0);
#pragma clang loop unroll_count(UNROLL)
        for (int c = 0; c < 16; c++) {
            v16 weights = LOAD(w + c * 16);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) sum[r] = FMA(SPLAT(x[r * 16 + c]), weights, sum[r]);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) STORE(y + r * 16, fresh && b == 0 ? sum[r] : sum[r] + LOAD(y + r * 16));
    }
}
#define POINT_CASE(R) case R: point_strip(R, x, x_block, w, w_block, blocks, y, fresh); break;
SEPARATE void point_strips(int width, const float *x, long x_block, const float *w, long w_block, int blocks, float *y,
                           int fresh) {
    int strips = (width + ROWS_MAX - 1) / ROWS_MAX;
    for (int s = 0, done = 0; s < strips; s++) {
        int rows = (width - done) / (strips - s);
        switch (rows) {
            POINT_CASE(1) POINT_CASE(2) POINT_CASE(3) POINT_CASE(4) POINT_CASE(5) POINT_CASE(6)
#if ROWS_MAX > 6
            POINT_CASE(7) POINT_CASE(8) POINT_CASE(9) POINT_CASE(10) POINT_CASE(11) POINT_CASE(12)
#endif
        }
        done += rows;
        x += rows * 16;
        y += rows * 16;
    }
}

// `count` tiles of one block, from the points at which their sums stand.
static void store_tiles(const direct_job *job, int block, int first, int count, const float *points, long step,
                        int slot) {
    float start[16] __attribute__((aligned(64)));
    const int summed = is_summed(&job->norm, block);
    running_sums own = {0};
    load_bias(start, job->bias, block, job->out_layout);
    for (int i = 0; i < count; i++) {
        tile_place at = place_of_tile(job->out_layout, first + i);
        store_tile(job, block, at, points + i * 16, step, start);
        if (summed) sum_box(&job->norm, job->out, block, at, tile_size, &own);
    }
    if (summed) store_sums(&job->norm, block, slot, &own);
}

// One chunk of tiles, all output channels. `group` is the chunk's size; w: [POINTS][out][in * 16][16], padded.
static void winograd_task(void *context, int index) {
    const direct_job *job = context;
    const int chunk = job->group, ins = job->in_blocks, outs = quintet_blocks(job->out_layout);
    int tiles = quintet_winograd_tiles(job->out_layout), first = index * chunk;
    int count = tiles - first < chunk ? tiles - first : chunk;
    // An odd number of cache lines from point to point, so that they spread over the cache's sets.
    long in_step = ((long)ins * chunk + 1) * 16, out_step = ((long)outs * chunk + 1) * 16;
    float *inputs = quintet_thread_scratch(POINTS * (in_step + out_step)), *sums = inputs + POINTS * in_step;
    inputs_of_chunk(job->in_layout, job->in, ins, first, count, chunk, inputs, in_step);
    long w_step = quintet_winograd_step(ins, outs);
    for (int k = 0; k < POINTS; k++)
        for (int o = 0; o < outs; o++)
            point_strips(count, inputs + k * in_step, chunk * 16, job->w + k * w_step + (long)o * ins * 256, 256, ins,
                         sums + k * out_step + (long)o * chunk * 16, 1);
    for (int o = 0; o < outs; o++)
        store_tiles(job, o, first, count, sums + (long)o * chunk * 16, out_step, index);
}

// Sums over a chunk's tiles of input point x gradient point: `rows` input channels x 16 output channels, added to
// `sums` or, if fresh, written there.
INLINE void tile_products(const int rows, const float *x, const float *dy, float *sums, int count, int fresh) {
    v16 a[16];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) a[r] = SPLAT(0);
    for (int i = 0; i < count; i++) {
        v16 b = LOAD(dy + i * 16);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) a[r] = FMA(SPLAT(x[i * 16 + r]), b, a[r]);
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) STORE(sums + r * 16, fresh ? a[r] : a[r] + LOAD(sums + r * 16));
}
SEPARATE void tile_products_16(const float *x, const float *dy, float *sums, int count, int fresh) {
#if ROWS_MAX > 6
    tile_products(16, x, dy, sums, count, fresh);
#else
    tile_products(6, x, dy, sums, count, fresh);
    tile_products(5, x + 6, dy, sums + 96, count, fresh);
    tile_products(5, x + 11, dy, sums + 176, count, fresh);
#endif
}

// One slot of tiles: scratch [slot][POINTS][pair][16 fine][16 coarse].
static void winograd_gradient_task(void *context, int slot) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int ins = quintet_blocks(fine), outs = quintet_blocks(coarse), chunk = WINOGRAD_GRADIENT_CHUNK;
    long tiles = quintet_winograd_tiles(coarse), begin = tiles * slot / job->slots;
    long end = tiles * (slot + 1) / job->slots;
    long in_step = ((long)ins * chunk + 1) * 16, out_step = ((long)outs * chunk + 1) * 16;
    float *inputs = quintet_thread_scratch(POINTS * (in_step + out_step)), *gradients = inputs + POINTS * in_step;
    float *sums = job->scratch + (long)slot * POINTS * ins * outs * 256;
    for (long first = begin; first < end; first += chunk) {
        int count = end - first < chunk ? (int)(end - first) : chunk;
        inputs_of_chunk(fine, job->x, ins, (int)first, count, chunk, inputs, in_step);
        gradients_of_chunk(coarse, job->dy, outs, (int)first, count, chunk, gradients, out_step);
        for (int k = 0; k < POINTS; k++)
            for (int pair = 0; pair < ins * outs; pair++)
                tile_products_16(inputs + k * in_step + (long)(pair % ins) * chunk * 16,
                                 gradients + k * out_step + (long)(pair / ins) * chunk * 16,
                                 sums + ((long)k * ins * outs + pair) * 256, count, first == begin);
    }
}

// At stride 2 (conv_parity.h) the weights' points are others: F(4,2) on taps 0 and 2 at +-NEAR_2, +-FAR_2 and infinity,
// the middle tap as it is; in depth the sums of taps 0 and 2 beside them.
#define NEAR_2 (1 / 2.0)
#define FAR_2 (5 / 4.0)

// What the weights' points are multiplied by: one over the product of a point's differences to the others.
#define OF_ZERO (1 / (NEAR * NEAR * FAR * FAR))
#define OF_NEAR (1 / (2 * NEAR * NEAR * (NEAR * NEAR - FAR * FAR)))
#define OF_FAR (1 / (2 * FAR * FAR * (FAR * FAR - NEAR * NEAR)))
#define OF_NEAR_2 (1 / (2 * NEAR_2 * (NEAR_2 * NEAR_2 - FAR_2 * FAR_2)))
#define OF_FAR_2 (1 / (2 * FAR_2 * (FAR_2 * FAR_2 - NEAR_2 * NEAR_2)))

// G^T of F(4,3), or of stride 2: six points to three taps.
INLINE void taps_of_six(const int stride, const v16 *u, v16 *g) {
    if (stride == 1) {
        v16 first = SPLAT(OF_ZERO) * u[0], near = SPLAT(OF_NEAR), far = SPLAT(OF_FAR);
        v16 p = near * (u[1] + u[2]), r = far * (u[3] + u[4]), q = near * (u[1] - u[2]), s = far * (u[3] - u[4]);
        g[0] = first + p + r;
        g[1] = FMA(SPLAT(FAR), s, SPLAT(NEAR) * q);
        g[2] = FMA(SPLAT(FAR * FAR), r, FMA(SPLAT(NEAR * NEAR), p, u[5]));
    } else {
        v16 near = SPLAT(OF_NEAR_2), far = SPLAT(OF_FAR_2);
        v16 p = near * (u[0] - u[1]), r = far * (u[2] - u[3]), q = near * (u[0] + u[1]), s = far * (u[2] + u[3]);
        g[0] = p + r;
        g[1] = u[5];
        g[2] = FMA(SPLAT(FAR_2), s, FMA(SPLAT(NEAR_2), q, u[4]));
    }
}

// G^T of F(2,3), or of stride 2: four points to three taps.
INLINE void taps_of_four(const int stride, v16 a, v16 b, v16 c, v16 d, v16 *g, int step) {
    g[0] = stride == 1 ? FMA(SPLAT(0.5f), b + c, a) : a + c;
    g[step] = stride == 1 ? SPLAT(0.5f) * (b - c) : b;
    g[2 * step] = stride == 1 ? FMA(SPLAT(0.5f), b + c, d) : c + d;
}

// G^T of the sums: 144 points to 27 taps, one input channel x 16 output channels.
INLINE void taps_of_points(const int stride, const float *points, long step, v16 *taps) {
    v16 t[72], u[36], r[6], g[3];
    for (int j = 0; j < 24; j++) {
        for (int k = 0; k < 6; k++) r[k] = LOAD(points + (j * 6 + k) * step);
        taps_of_six(stride, r, t + j * 3);
    }
    for (int i = 0; i < 4; i++)
        for (int w = 0; w < 3; w++) {
            for (int k = 0; k < 6; k++) r[k] = t[(i * 6 + k) * 3 + w];
            taps_of_six(stride, r, g);
            for (int h = 0; h < 3; h++) u[i * 9 + h * 3 + w] = g[h];
        }
    for (int i = 0; i < 9; i++) taps_of_four(stride, u[i], u[9 + i], u[18 + i], u[27 + i], taps + i, 9);
}
SEPARATE void taps_of_points_1(const float *points, long step, v16 *taps) { taps_of_points(1, points, step, taps); }
SEPARATE void taps_of_points_2(const float *points, long step, v16 *taps) { taps_of_points(2, points, step, taps); }

// Adds the points of one input channel of one pair of blocks to the gradient, as taps in PyTorch's layout.
INLINE void add_taps(const gradient_job *job, int pair, int c, const float *points, long step) {
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int ins = quintet_blocks(fine);
    int channel = quintet_channel(fine, pair % ins * 16 + c);
    if (channel < 0) return;
    v16 taps[27];
    if (job->convolution->stride.height == 1) taps_of_points_1(points, step, taps);
    else taps_of_points_2(points, step, taps);
    v16 low[16], high[16];
    for (int t = 0; t < 16; t++) low[t] = taps[t], high[t] = taps[11 + t];
    transpose_16(low);
    transpose_16(high);
    for (int l = 0; l < 16; l++) {
        int out = quintet_channel(coarse, pair / ins * 16 + l);
        if (out < 0) continue;
        // The two vectors overlap: where they do, both are the same sum.
        float *gradient = job->gradient + ((long)out * fine.channels + channel) * 27;
        v16 first = LOAD_ANY(gradient) + low[l], last = LOAD_ANY(gradient + 11) + high[l];
        STORE_ANY(gradient, first);
        STORE_ANY(gradient + 11, last);
    }
}

// Adds the slots of one point, in their order, to the first.
static void winograd_slots_task(void *context, int point) {
    const gradient_job *job = context;
    const long floats = quintet_blocks(job->convolution->fine) * quintet_blocks(job->convolution->coarse) * 256L;
    float *sums = job->scratch + point * floats;
    for (int slot = 1; slot < job->slots; slot++) {
        const float *from = sums + slot * POINTS * floats;
        for (long i = 0; i < floats; i += 16) STORE(sums + i, LOAD(sums + i) + LOAD(from + i));
    }
}

// One input channel of one pair of blocks.
static void winograd_gradient_sum_task(void *context, int index) {
    const gradient_job *job = context;
    const int pairs = quintet_blocks(job->convolution->fine) * quintet_blocks(job->convolution->coarse);
    int pair = index / 16, c = index % 16;
    add_taps(job, pair, c, job->scratch + pair * 256L + c * 16, pairs * 256L);
}

// G of F(4,3), or of stride 2: three taps to six points.
INLINE void six_of_taps(const int stride, const v16 *g, v16 *u) {
    if (stride == 1) {
        v16 e = FMA(SPLAT(NEAR * NEAR), g[2], g[0]), f = SPLAT(NEAR) * g[1];
        v16 h = FMA(SPLAT(FAR * FAR), g[2], g[0]), i = SPLAT(FAR) * g[1];
        u[0] = SPLAT(OF_ZERO) * g[0];
        u[1] = SPLAT(OF_NEAR) * (e + f);
        u[2] = SPLAT(OF_NEAR) * (e - f);
        u[3] = SPLAT(OF_FAR) * (h + i);
        u[4] = SPLAT(OF_FAR) * (h - i);
        u[5] = g[2];
    } else {
        u[0] = SPLAT(OF_NEAR_2) * FMA(SPLAT(NEAR_2), g[2], g[0]);
        u[1] = SPLAT(OF_NEAR_2) * FMA(SPLAT(NEAR_2), g[2], -g[0]);
        u[2] = SPLAT(OF_FAR_2) * FMA(SPLAT(FAR_2), g[2], g[0]);
        u[3] = SPLAT(OF_FAR_2) * FMA(SPLAT(FAR_2), g[2], -g[0]);
        u[4] = g[2];
        u[5] = g[1];
    }
}

// G: 27 taps of one input channel and 16 output channels to 144 points, `step` apart.
INLINE void transform_taps(const int stride, const v16 *g, float *points, long step) {
    v16 t[36], u[72], r[3], p[6];
    for (int i = 0; i < 9; i++) {
        v16 sum = g[i] + g[18 + i], half = sum * SPLAT(0.5f), middle = g[9 + i] * SPLAT(0.5f);
        t[i] = g[i], t[27 + i] = g[18 + i];
        t[9 + i] = stride == 1 ? half + middle : g[9 + i];
        t[18 + i] = stride == 1 ? half - middle : sum;
    }
    for (int d = 0; d < 4; d++)
        for (int w = 0; w < 3; w++) {
            for (int h = 0; h < 3; h++) r[h] = t[d * 9 + h * 3 + w];
            six_of_taps(stride, r, p);
            for (int h = 0; h < 6; h++) u[d * 18 + h * 3 + w] = p[h];
        }
    for (int i = 0; i < 24; i++) {
        six_of_taps(stride, u + i * 3, p);
        for (int w = 0; w < 6; w++) STORE(points + (i * 6 + w) * step, p[w]);
    }
}
SEPARATE void transform_taps_1(const v16 *g, float *points, long step) { transform_taps(1, g, points, step); }
SEPARATE void transform_taps_2(const v16 *g, float *points, long step) { transform_taps(2, g, points, step); }

// Weights of one pair of blocks to points `step` apart: [POINTS][16 in][16 out].
static void transform_pair(const weight_source *from, int pair, float *points, long step) {
    for (int c = 0; c < 16; c++) {
        v16 g[27], turned[27];
        taps_of_channel(from, pair, c, g);
        for (int t = 0; t < 27; t++) turned[t] = g[from->direction == QUINTET_FORWARD ? t : 26 - t];
        if (from->convolution->stride.height == 1) transform_taps_1(turned, points + c * 16, step);
        else transform_taps_2(turned, points + c * 16, step);
    }
}

// Few tiles: the points of all of them lie block by block, [block][POINTS][tile][16]; `step` is from point to point.
typedef struct {
    const direct_job *direct;
    weight_source weights;
    float *inputs;
    int tiles;
    long step;
} few_tiles_job;

static void few_tiles_input_task(void *context, int block) {
    const few_tiles_job *job = context;
    const direct_job *direct = job->direct;
    const float *x = direct->in + quintet_block(direct->in_layout, block);
    inputs_of_chunk(direct->in_layout, x, 1, 0, job->tiles, job->tiles,
                    job->inputs + block * quintet_winograd_block(job->tiles), job->step);
}

// One block of output channels of all tiles; input blocks two at a time where the second-level cache holds them.
static void few_tiles_task(void *context, int block) {
    const few_tiles_job *job = context;
    const direct_job *direct = job->direct;
    // An odd number of cache lines from point to point, so that they spread over the cache's sets.
    const long w_step = 17 * 16, from_block = quintet_winograd_block(job->tiles);
    float *weights = quintet_thread_scratch(2 * POINTS * w_step + from_block), *sums = weights + 2 * POINTS * w_step;
    const int together = job->tiles <= 32 ? 2 : 1;
    for (int b = 0; b < direct->in_blocks; b += together) {
        int count = direct->in_blocks - b < together ? 1 : together;
        const float *inputs = job->inputs + b * from_block;
        for (int i = 0; i < count; i++)
            transform_pair(&job->weights, block * direct->in_blocks + b + i, weights + i * POINTS * w_step, w_step);
        for (int k = 0; k < POINTS; k++)
            point_strips(job->tiles, inputs + k * job->step, from_block, weights + k * w_step, POINTS * w_step, count,
                         sums + k * job->step, b == 0);
    }
    store_tiles(direct, block, 0, job->tiles, sums, job->step, 0);
}

static void winograd_of_few_tiles(quintet_pool *pool, const quintet_convolution *convolution,
                                  const direct_job *direct) {
    int tiles = quintet_winograd_tiles(direct->out_layout);
    weight_source weights = {convolution, direct->flipped ? QUINTET_TRANSPOSED : QUINTET_FORWARD, direct->w};
    float *inputs = quintet_call_scratch(direct->in_blocks * quintet_winograd_block(tiles));
    few_tiles_job job = {direct, weights, inputs, tiles, (tiles + 1) * 16};
    quintet_pool_run(pool, direct->in_blocks, few_tiles_input_task, &job);
    quintet_pool_run(pool, quintet_blocks(direct->out_layout), few_tiles_task, &job);
}

// Weight gradient of few tiles: first every block's points into the scratch, fine blocks before coarse ones:
// [block][POINTS][tile][16].
static void few_tiles_points_task(void *context, int block) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    int tiles = quintet_winograd_tiles(coarse), ins = quintet_blocks(fine);
    float *points = job->scratch + block * quintet_winograd_block(tiles);
    if (block < ins)
        inputs_of_chunk(fine, job->x + quintet_block(fine, block), 1, 0, tiles, tiles, points,
                        (tiles + 1) * 16);
    else
        gradients_of_chunk(coarse, job->dy + quintet_block(coarse, block - ins), 1, 0, tiles, tiles, points,
                           (tiles + 1) * 16);
}

// Then every pair's sums, which never leave the cache; some tiles at a time, for sums of few terms round less.
enum { FEW_TILES_TOGETHER = 16 };
static void few_tiles_gradient_task(void *context, int pair) {
    const gradient_job *job = context;
    int tiles = quintet_winograd_tiles(job->convolution->coarse), ins = quintet_blocks(job->convolution->fine);
    const float *inputs = job->scratch + pair % ins * quintet_winograd_block(tiles);
    const float *gradients = job->scratch + (ins + pair / ins) * quintet_winograd_block(tiles);
    const long step = 17 * 16;
    float *sums = quintet_thread_scratch(POINTS * step);
    for (int k = 0; k < POINTS; k++)
        for (int i = 0; i < tiles; i += FEW_TILES_TOGETHER)
            tile_products_16(inputs + (k * (tiles + 1) + i) * 16, gradients + (k * (tiles + 1) + i) * 16,
                             sums + k * step, tiles - i < FEW_TILES_TOGETHER ? tiles - i : FEW_TILES_TOGETHER, i == 0);
    for (int c = 0; c < 16; c++) add_taps(job, pair, c, sums + c * 16, step);
}
#endif
