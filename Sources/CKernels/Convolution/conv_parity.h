// Convolution of blocked tensors, 3x3x3 at stride 2, in polyphase form with Winograd. Along one axis the outputs are
//     y[o] = E[o] w1 + O[o - 1] w0 + O[o] w2,     E and O the even and the odd voxels of the fine side,
// where the odd voxels meet a convolution of two taps: F(4,2) in the plane, five products for four outputs where the
// definition has eight, at the points +-1/2, +-5/4 and infinity, which round little. So an axis of four outputs has
// nine points: five at the even places of a row of nine, mixed from the odd voxels, and at the odd places four even
// voxels as they are, which share their weights. In depth F(2,2) takes sums that start from a shared product and so
// needs no way back:
//     y[0] = O1 (w0 + w2) + (O0 - O1) w0 + E0 w1,     y[1] = O1 (w0 + w2) + (O2 - O1) w2 + E1 w1.
// A tile of 2x4x4 outputs takes 5x9x9 = 405 products instead of 864, with 4x6x6 = 144 different weights. The
// transposed convolution is the same with the roles of inputs and outputs exchanged, and so are weight gradients.
// Included once per instruction set, after conv_winograd.h.
#ifndef QUINTET_CONV_PARITY_H
#define QUINTET_CONV_PARITY_H

// Slots of a plane's 81 points: points that share their weights lie side by side.
INLINE int parity_slot(int h, int w) {
    int i = h / 2, j = w / 2;
    if (h % 2 == 0) return w % 2 == 0 ? i * 5 + j : 25 + i * 4 + j;
    return w % 2 == 0 ? 45 + j * 4 + i : 65 + i * 4 + j;
}
enum { PARITY_SLOTS = 81, PARITY_WEIGHTS = 36 };
// The first slot that uses weights k = 6 h + w (5: the middle tap), and how many do.
INLINE int parity_first(int k) {
    int h = k / 6, w = k % 6;
    if (h < 5) return w < 5 ? h * 5 + w : 25 + h * 4;
    return w < 5 ? 45 + w * 4 : 65;
}
INLINE int parity_count(int k) { return (k / 6 < 5 ? 1 : 4) * (k % 6 < 5 ? 1 : 4); }

// B^T of F(4,2), on places 0, step, ... 4 step.
INLINE void parity_points(lanes *d, const int step) {
    lanes a = LANE_SPLAT(NEAR_2), b = LANE_SPLAT(FAR_2), a2 = LANE_SPLAT(NEAR_2 * NEAR_2);
    lanes b2 = LANE_SPLAT(FAR_2 * FAR_2), both = LANE_SPLAT(NEAR_2 * NEAR_2 * FAR_2 * FAR_2);
    lanes either = LANE_SPLAT(NEAR_2 * NEAR_2 + FAR_2 * FAR_2), d0 = d[0], d2 = d[2 * step];
    lanes p = FMA(-b2, d[step], d[3 * step]), q = FMA(-b2, d0, d2), r = FMA(-a2, d[step], d[3 * step]);
    lanes s = FMA(-a2, d0, d2);
    d[0] = FMA(a, q, p);
    d[step] = FMA(-a, q, p);
    d[2 * step] = FMA(b, s, r);
    d[3 * step] = FMA(-b, s, r);
    d[4 * step] = FMA(both, d0, FMA(-either, d2, d[4 * step]));
}

// A^T of F(4,2): the points at the even places of m to four values.
INLINE void parity_values(const lanes *m, lanes *y) {
    lanes a = LANE_SPLAT(NEAR_2), b = LANE_SPLAT(FAR_2), a2 = LANE_SPLAT(NEAR_2 * NEAR_2);
    lanes b2 = LANE_SPLAT(FAR_2 * FAR_2), a3 = LANE_SPLAT(NEAR_2 * NEAR_2 * NEAR_2);
    lanes b3 = LANE_SPLAT(FAR_2 * FAR_2 * FAR_2);
    lanes p = m[0] + m[2], q = m[0] - m[2], r = m[4] + m[6], s = m[4] - m[6];
    y[0] = p + r;
    y[1] = FMA(b, s, a * q);
    y[2] = FMA(b2, r, a2 * p);
    y[3] = FMA(b3, s, FMA(a3, q, m[8]));
}

// A of F(4,2), between the values as they are: four values to nine points.
INLINE void parity_spread(const lanes *y, lanes *o) {
    lanes a = LANE_SPLAT(NEAR_2), b = LANE_SPLAT(FAR_2), a2 = LANE_SPLAT(NEAR_2 * NEAR_2);
    lanes b2 = LANE_SPLAT(FAR_2 * FAR_2);
    lanes e = FMA(a2, y[2], y[0]), f = FMA(a2, y[3], y[1]), g = FMA(b2, y[2], y[0]), h = FMA(b2, y[3], y[1]);
    o[0] = FMA(a, f, e);
    o[2] = FMA(-a, f, e);
    o[4] = FMA(b, h, g);
    o[6] = FMA(-b, h, g);
    o[8] = y[3];
    for (int k = 0; k < 4; k++) o[2 * k + 1] = y[k];
}

// One plane of a tile, some lanes, to its 81 points, `step` floats apart. fine: x is 9x9 voxels, first an odd one, or
// else 5x5 of which each gives two places. less: a plane that is subtracted, or x itself for none. Asks for the next
// tile's voxels ahead: rows this short give the processor nothing to foresee.
INLINE void parity_plane(const int fine, const float *x, const float *less, long row, float *points, long step) {
    lanes t[9 * 5];
    for (int w = 0; w < (fine ? 9 : 5); w++) {
        lanes r[9];
        for (int h = 0; h < 9; h++) {
            long at = (fine ? h : h / 2) * row + w * 16;
            if (fine || h % 2 == 0) __builtin_prefetch(x + at + (fine ? 8 : 4) * 16);
            r[h] = less == x ? LANE_LOAD(x + at) : LANE_LOAD(x + at) - LANE_LOAD(less + at);
        }
        parity_points(r, 2);
        int even = fine ? w % 2 == 0 : 1, odd = fine ? w % 2 : w < 4, k = fine ? w / 2 : w;
        for (int h = 0; h < 9; h++) {
            if (even) t[h * 5 + k] = r[h];
            if (odd) LANE_STORE(points + parity_slot(h, 2 * k + 1) * step, r[h]);
        }
    }
    for (int h = 0; h < 9; h++) {
        parity_points(t + h * 5, 1);
        for (int k = 0; k < 5; k++) LANE_STORE(points + parity_slot(h, 2 * k) * step, t[h * 5 + k]);
    }
}
SEPARATE void parity_fine_plane(const float *x, long row, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) parity_plane(1, x + l, x + l, row, points + l, step);
}
SEPARATE void parity_fine_difference(const float *x, const float *less, long row, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) parity_plane(1, x + l, less + l, row, points + l, step);
}
SEPARATE void parity_coarse_plane(const float *x, long row, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) parity_plane(0, x + l, x + l, row, points + l, step);
}
SEPARATE void parity_coarse_difference(const float *x, const float *less, long row, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) parity_plane(0, x + l, less + l, row, points + l, step);
}

// 81 points back to a plane of 4x4 coarse voxels, or of 8x8 fine ones, onto start (the bias) or what stands there.
INLINE void parity_plane_back(const int fine, const float *points, long step, float *y, long row, const float *start) {
    const int side = fine ? 8 : 4;
    lanes t[8 * 9], v[4];
    for (int w = 0; w < 9; w++) {
        lanes r[9];
        for (int h = 0; h < 9; h++) r[h] = LANE_LOAD(points + parity_slot(h, w) * step);
        parity_values(r, v);
        for (int k = 0; k < 4; k++) {
            if (fine) t[2 * k * 9 + w] = r[2 * k + 1], t[(2 * k + 1) * 9 + w] = v[k];
            else t[k * 9 + w] = v[k] + r[2 * k + 1];
        }
    }
    for (int h = 0; h < side; h++, y += row) {
        const lanes *r = t + h * 9;
        parity_values(r, v);
        for (int w = 0; w < side; w++) {
            lanes value = fine ? (w % 2 ? v[w / 2] : r[w + 1]) : v[w] + r[2 * w + 1];
            LANE_STORE(y + w * 16, value + (start ? LANE_LOAD(start) : LANE_LOAD(y + w * 16)));
        }
    }
}
SEPARATE void parity_fine_back(const float *points, long step, float *y, long row, const float *start) {
    for (int l = 0; l < 16; l += LANES) parity_plane_back(1, points + l, step, y + l, row, start ? start + l : NULL);
}
SEPARATE void parity_coarse_back(const float *points, long step, float *y, long row, const float *start) {
    for (int l = 0; l < 16; l += LANES) parity_plane_back(0, points + l, step, y + l, row, start ? start + l : NULL);
}

// A plane of 4x4 output gradients (dy + more, or dy itself where they are one) to the points that meet the inputs.
INLINE void parity_gradient(const float *dy, const float *more, long row, float *points, long step) {
    lanes t[4 * 9], r[4], o[9];
    for (int h = 0; h < 4; h++) {
        for (int w = 0; w < 4; w++) {
            long at = h * row + w * 16;
            r[w] = dy == more ? LANE_LOAD(dy + at) : LANE_LOAD(dy + at) + LANE_LOAD(more + at);
        }
        parity_spread(r, t + h * 9);
    }
    for (int w = 0; w < 9; w++) {
        for (int h = 0; h < 4; h++) r[h] = t[h * 9 + w];
        parity_spread(r, o);
        for (int h = 0; h < 9; h++) LANE_STORE(points + parity_slot(h, w) * step, o[h]);
    }
}
SEPARATE void parity_gradient_plane(const float *dy, const float *more, long row, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) parity_gradient(dy + l, more + l, row, points + l, step);
}

typedef struct {
    const float *in, *w, *bias;
    float *out;
    quintet_layout fine, coarse;
    int accumulate;
    quintet_parity_cut cut;
    norm_sums norm;
} parity_job;

enum { PARITY_BOX = 5 * 9 * 9 * 16 };
// Planes of points that a tile takes: of its fine side and of its coarse side, as inputs or as sums.
enum { FINE_PLANES = 5, COARSE_INPUTS = 4, FINE_SUMS = 4, COARSE_SUMS = 2, GRADIENT_PLANES = 3 };

// Points of `count` tiles of every block of the fine side: [O0 - O1, E0, O1, E1, O2 - O1][block][slot][tile][16].
static void parity_fine_inputs(quintet_layout fine, quintet_layout coarse, const float *x, int first, int count,
                               float *points) {
    float part[PARITY_BOX] __attribute__((aligned(64)));
    const int blocks = quintet_blocks(fine);
    long step = (long)count * 16, plane = blocks * PARITY_SLOTS * step;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < count; i++) {
            tile_place at = place_of_tile(coarse, first + i);
            tile_place corner = {2 * at.d - 1, 2 * at.h - 1, 2 * at.w - 1}, size = {5, 9, 9};
            quintet_steps steps;
            const float *from = box_of(fine, x, b, corner, size, is_whole(coarse, at), part, &steps);
            float *to = points + b * PARITY_SLOTS * step + i * 16;
            const float *middle = from + 2 * steps.plane;
            parity_fine_difference(from, middle, steps.row, to, step);
            for (int p = 1; p < 4; p++) parity_fine_plane(from + p * steps.plane, steps.row, to + p * plane, step);
            parity_fine_difference(from + 4 * steps.plane, middle, steps.row, to + 4 * plane, step);
        }
}

// Points of `count` tiles of every block of the coarse side: [Y0, Y1, Y0 - Y1, Y2 - Y1][block][slot][tile][16].
static void parity_coarse_inputs(quintet_layout coarse, const float *y, int first, int count, float *points) {
    float part[PARITY_BOX] __attribute__((aligned(64)));
    const int blocks = quintet_blocks(coarse);
    long step = (long)count * 16, plane = blocks * PARITY_SLOTS * step;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < count; i++) {
            tile_place at = place_of_tile(coarse, first + i);
            tile_place size = {3, 5, 5};
            quintet_steps steps;
            const float *from = box_of(coarse, y, b, at, size, is_whole(coarse, at), part, &steps);
            float *to = points + b * PARITY_SLOTS * step + i * 16;
            const float *middle = from + steps.plane;
            parity_coarse_plane(from, steps.row, to, step);
            parity_coarse_plane(middle, steps.row, to + plane, step);
            parity_coarse_difference(from, middle, steps.row, to + 2 * plane, step);
            parity_coarse_difference(from + 2 * steps.plane, middle, steps.row, to + 3 * plane, step);
        }
}

// Points of `count` tiles of output gradients: [dY0, dY1, dY0 + dY1][block][slot][tile][16].
static void parity_gradients(quintet_layout coarse, const float *dy, int first, int count, float *points) {
    float part[PARITY_BOX] __attribute__((aligned(64)));
    const int blocks = quintet_blocks(coarse);
    long step = (long)count * 16, plane = blocks * PARITY_SLOTS * step;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < count; i++) {
            tile_place at = place_of_tile(coarse, first + i);
            quintet_steps steps;
            const float *from = box_of(coarse, dy, b, at, tile_size, is_whole(coarse, at), part, &steps);
            float *to = points + b * PARITY_SLOTS * step + i * 16;
            const float *next = from + steps.plane;
            parity_gradient_plane(from, from, steps.row, to, step);
            parity_gradient_plane(next, next, steps.row, to + plane, step);
            parity_gradient_plane(from, next, steps.row, to + 2 * plane, step);
        }
}

// sums += inputs x weights, for rows of points and all input blocks; each block's products have a sum of their own,
// for sums of few terms round less.
INLINE void parity_add(const int rows, v16 *sum, const float *x, long block, const float *w, int blocks) {
    for (int b = 0; b < blocks; b++, x += block, w += 256) {
        v16 own[ROWS_MAX];
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) own[r] = SPLAT(0);
#pragma clang loop unroll_count(UNROLL)
        for (int c = 0; c < 16; c++) {
            v16 weights = LOAD(w + c * 16);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) own[r] = FMA(SPLAT(x[r * 16 + c]), weights, own[r]);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) sum[r] += own[r];
    }
}
INLINE void parity_store(const int rows, const v16 *sum, float *y) {
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) STORE(y + r * 16, sum[r]);
}

// Where the points of one strip lie: floats between planes of inputs, between blocks, between depths of weights
// (w0, w1, w0 + w2, w2) and between planes of sums.
typedef struct { long in_plane, in_block, weights, out_plane; int blocks; } parity_steps;

// The sums of one strip of points in every plane of the tile's outputs. fine: outputs are the fine side.
INLINE void parity_strip(const int rows, const int fine, const float *x, const float *w, float *y, parity_steps at) {
    v16 sum[ROWS_MAX], shared[ROWS_MAX];
#define PARITY_ADD(PLANE, DEPTH) \
    parity_add(rows, sum, x + (PLANE) * at.in_plane, at.in_block, w + (DEPTH) * at.weights, at.blocks)
#define PARITY_START(VALUE) _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) sum[r] = VALUE
    for (int p = 0; fine && p < 2; p++) {
        PARITY_START(SPLAT(0));
        PARITY_ADD(p, 1);
        parity_store(rows, sum, y + 2 * p * at.out_plane);
    }
    PARITY_START(SPLAT(0));
    PARITY_ADD(fine ? 1 : 2, 2);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) shared[r] = sum[r];
    PARITY_ADD(fine ? 2 : 0, 0);
    if (!fine) PARITY_ADD(1, 1);
    parity_store(rows, sum, y + (fine ? at.out_plane : 0));
    PARITY_START(shared[r]);
    PARITY_ADD(fine ? 3 : 4, 3);
    if (!fine) PARITY_ADD(3, 1);
    parity_store(rows, sum, y + (fine ? 3 : 1) * at.out_plane);
}
#define PARITY_CASE(R, FINE) case R: parity_strip(R, FINE, x, w, y, at); break;
#define PARITY_CASES_6(FINE) PARITY_CASE(1, FINE) PARITY_CASE(2, FINE) PARITY_CASE(3, FINE) PARITY_CASE(4, FINE) \
    PARITY_CASE(5, FINE) PARITY_CASE(6, FINE)
#if ROWS_MAX > 6
#define PARITY_CASES(FINE) PARITY_CASES_6(FINE) PARITY_CASE(7, FINE) PARITY_CASE(8, FINE) PARITY_CASE(9, FINE) \
    PARITY_CASE(10, FINE) PARITY_CASE(11, FINE) PARITY_CASE(12, FINE)
#else
#define PARITY_CASES(FINE) PARITY_CASES_6(FINE)
#endif
#define DEFINE_PARITY_STRIPS(NAME, FINE) \
    SEPARATE void NAME(int width, const float *x, const float *w, float *y, parity_steps at) { \
        int strips = (width + ROWS_MAX - 1) / ROWS_MAX; \
        for (int s = 0, done = 0; s < strips; s++) { \
            int rows = (width - done) / (strips - s); \
            switch (rows) { PARITY_CASES(FINE) } \
            done += rows; \
            x += rows * 16; \
            y += rows * 16; \
        } \
    }
DEFINE_PARITY_STRIPS(parity_strips_to_coarse, 0)
DEFINE_PARITY_STRIPS(parity_strips_to_fine, 1)

// A tile's place or size on the side that is written.
INLINE tile_place scaled(tile_place place, const int fine) {
    const int scale = fine ? 2 : 1;
    return (tile_place){place.d * scale, place.h * scale, place.w * scale};
}

// One tile's sums back to voxels.
static void parity_store_tile(const parity_job *job, int fine, int block, tile_place at, const float *points,
                              long step, long plane, const float *start) {
    quintet_layout layout = fine ? job->fine : job->coarse;
    const int whole = is_whole(job->coarse, at);
    float part[PARITY_BOX] __attribute__((aligned(64)));
    tile_place corner = scaled(at, fine), size = scaled(tile_size, fine);
    quintet_steps steps = quintet_steps_of(layout);
    float *y = job->out + quintet_row(layout, block, corner.d, corner.h) + (long)corner.w * 16;
    if (!whole) {
        if (job->accumulate) copy_box(layout, block, corner, size, part, job->out, 1);
        y = part;
        steps.row = size.w * 16, steps.plane = size.h * steps.row;
    }
    for (int d = 0; d < size.d; d++)
        if (fine) parity_fine_back(points + d * plane, step, y + d * steps.plane, steps.row, start);
        else parity_coarse_back(points + d * plane, step, y + d * steps.plane, steps.row, start);
    if (!whole) copy_box(layout, block, corner, size, part, job->out, 0);
}

// One chunk of tiles, some output blocks. w: [4 depths][36][out][in * 16][16], padded as Winograd's.
INLINE void parity_task(const parity_job *job, const int fine, int index) {
    quintet_layout in = fine ? job->coarse : job->fine, out = fine ? job->fine : job->coarse;
    const int ins = quintet_blocks(in), outs = quintet_blocks(out), tiles = quintet_winograd_tiles(job->coarse);
    const int parts = job->cut.parts, slot = index / parts, part = index % parts, first = slot * job->cut.chunk;
    int count = tiles - first < job->cut.chunk ? tiles - first : job->cut.chunk;
    long step = (long)count * 16, w_step = quintet_winograd_step(ins, outs);
    parity_steps at = {ins * PARITY_SLOTS * step, PARITY_SLOTS * step, PARITY_WEIGHTS * w_step, PARITY_SLOTS * step,
                       ins};
    long in_floats = (fine ? COARSE_INPUTS : FINE_PLANES) * at.in_plane;
    long out_floats = (fine ? FINE_SUMS : COARSE_SUMS) * at.out_plane;
    float *inputs = quintet_thread_scratch(in_floats + out_floats), *sums = inputs + in_floats;
    if (fine) parity_coarse_inputs(job->coarse, job->in, first, count, inputs);
    else parity_fine_inputs(job->fine, job->coarse, job->in, first, count, inputs);
    float start[16] __attribute__((aligned(64)));
    for (int o = outs * part / parts; o < outs * (part + 1) / parts; o++) {
        for (int k = 0; k < PARITY_WEIGHTS; k++) {
            const float *w = job->w + k * w_step + (long)o * ins * 256;
            long place = parity_first(k) * step;
            if (fine) parity_strips_to_fine(parity_count(k) * count, inputs + place, w, sums + place, at);
            else parity_strips_to_coarse(parity_count(k) * count, inputs + place, w, sums + place, at);
        }
        load_bias(start, job->bias, o, out);
        const int summed = is_summed(&job->norm, o);
        running_sums own = {0};
        for (int i = 0; i < count; i++) {
            tile_place place = place_of_tile(job->coarse, first + i);
            parity_store_tile(job, fine, o, place, sums + i * 16, step, at.out_plane, job->accumulate ? NULL : start);
            if (summed) sum_box(&job->norm, job->out, o, scaled(place, fine), scaled(tile_size, fine), &own);
        }
        if (summed) store_sums(&job->norm, o, slot, &own);
    }
}
static void parity_to_coarse_task(void *context, int index) { parity_task(context, 0, index); }
static void parity_to_fine_task(void *context, int index) { parity_task(context, 1, index); }

// One slot of tiles: scratch [slot][POINTS][pair][16 fine][16 coarse], as Winograd's.
static void parity_gradient_task(void *context, int slot) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int ins = quintet_blocks(fine), outs = quintet_blocks(coarse), chunk = PARITY_GRADIENT_CHUNK;
    long tiles = quintet_winograd_tiles(coarse), end = tiles * (slot + 1) / job->slots;
    long most = (long)PARITY_SLOTS * chunk * 16;
    float *inputs = quintet_thread_scratch(most * (FINE_PLANES * ins + GRADIENT_PLANES * outs));
    float *gradients = inputs + most * FINE_PLANES * ins;
    float *sums = job->scratch + (long)slot * POINTS * ins * outs * 256;
    memset(sums, 0, sizeof(float) * POINTS * ins * outs * 256);
    // Planes of inputs and of gradients that meet, and the depth of the weights they belong to.
    static const int meets[5][3] = {{0, 0, 0}, {1, 0, 1}, {3, 1, 1}, {2, 2, 2}, {4, 1, 3}};
    for (long first = tiles * slot / job->slots; first < end; first += chunk) {
        int count = end - first < chunk ? (int)(end - first) : chunk;
        parity_fine_inputs(fine, coarse, job->x, (int)first, count, inputs);
        parity_gradients(coarse, job->dy, (int)first, count, gradients);
        long block = (long)PARITY_SLOTS * count * 16;
        for (int k = 0; k < PARITY_WEIGHTS; k++)
            for (int m = 0; m < 5; m++)
                for (int pair = 0; pair < ins * outs; pair++) {
                    long place = (long)parity_first(k) * count * 16;
                    tile_products_16(inputs + (meets[m][0] * ins + pair % ins) * block + place,
                                     gradients + (meets[m][1] * outs + pair / ins) * block + place,
                                     sums + ((long)(meets[m][2] * PARITY_WEIGHTS + k) * ins * outs + pair) * 256,
                                     parity_count(k) * count, 0);
                }
    }
}
#endif
