// Winograd convolution of flat blocked tensors, 3x3 at stride 1: F(4,3) along height and width (conv_winograd.h has its
// pieces), so that a tile of 4x4 outputs takes 6x6 = 36 products instead of 144. With few channels a task has some
// tiles and all channels, and their points stay in its cache. With many the weights of a single point fill a cache:
// then the points of many tiles are made first, a task multiplies those of one point, and its weights are read once.
// Included once per instruction set, after conv_winograd.h.
#ifndef QUINTET_FLAT_WINOGRAD_H
#define QUINTET_FLAT_WINOGRAD_H

static const tile_place flat_tile = {1, TILE_H, TILE_W};

INLINE tile_place place_of_flat_tile(quintet_layout layout, int tile) {
    int across = (layout.width + TILE_W - 1) / TILE_W, down = (layout.height + TILE_H - 1) / TILE_H;
    return (tile_place){tile / across / down, tile / across % down * TILE_H, tile % across * TILE_W};
}
INLINE int is_whole_flat(quintet_layout layout, tile_place at) {
    return at.h + TILE_H <= layout.height && at.w + TILE_W <= layout.width;
}

// B^T on both axes: 6x6 voxels, the first a halo voxel of the tile, to 36 points `step` floats apart.
INLINE void flat_input(const float *x, long row, float *points, long step) {
    lanes t[FLAT_POINTS], r[6];
    for (int w = 0; w < 6; w++) {
        for (int h = 0; h < 6; h++) r[h] = LANE_LOAD(x + h * row + w * 16);
        input_points(r);
        for (int h = 0; h < 6; h++) t[h * 6 + w] = r[h];
    }
    for (int h = 0; h < 6; h++) {
        input_points(t + h * 6);
        for (int w = 0; w < 6; w++) LANE_STORE(points + (h * 6 + w) * step, t[h * 6 + w]);
    }
}

// A^T on both axes: back to 4x4 voxels, onto start (the bias) or, without one, onto what stands there.
INLINE void flat_output(const float *points, long step, float *y, long row, const float *start) {
    lanes t[24], r[6];
    for (int w = 0; w < 6; w++) {
        for (int h = 0; h < 6; h++) r[h] = LANE_LOAD(points + (h * 6 + w) * step);
        output_values(r);
        for (int h = 0; h < 4; h++) t[h * 6 + w] = r[h];
    }
    for (int h = 0; h < 4; h++, y += row) {
        output_values(t + h * 6);
        for (int w = 0; w < 4; w++)
            LANE_STORE(y + w * 16, t[h * 6 + w] + (start ? LANE_LOAD(start) : LANE_LOAD(y + w * 16)));
    }
}

// A on both axes: 4x4 output gradients to the points at which they meet the inputs.
INLINE void flat_gradient(const float *y, long row, float *points, long step) {
    lanes t[24], r[4], o[6];
    for (int h = 0; h < 4; h++) {
        for (int w = 0; w < 4; w++) r[w] = LANE_LOAD(y + h * row + w * 16);
        gradient_points(r, t + h * 6);
    }
    for (int w = 0; w < 6; w++) {
        for (int h = 0; h < 4; h++) r[h] = t[h * 6 + w];
        gradient_points(r, o);
        for (int h = 0; h < 6; h++) LANE_STORE(points + (h * 6 + w) * step, o[h]);
    }
}

SEPARATE void flat_input_16(const float *x, long row, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) flat_input(x + l, row, points + l, step);
}
SEPARATE void flat_output_16(const float *points, long step, float *y, long row, const float *start) {
    for (int l = 0; l < 16; l += LANES) flat_output(points + l, step, y + l, row, start ? start + l : NULL);
}
SEPARATE void flat_gradient_16(const float *y, long row, float *points, long step) {
    for (int l = 0; l < 16; l += LANES) flat_gradient(y + l, row, points + l, step);
}

// A square of voxels of one plane, copied where its tile is not whole: with the halo, zeros beyond.
static const float *flat_box(quintet_layout layout, const float *x, int block, tile_place at, int side, int whole,
                             float *box, long *row) {
    *row = whole ? quintet_steps_of(layout).row : side * 16;
    if (whole) return x + quintet_row(layout, block, at.d, at.h) + (long)at.w * 16;
    for (int i = 0; i < side * side; i++) {
        int h = at.h + i / side, w = at.w + i % side;
        if (h <= layout.height && w <= layout.width)
            memcpy(box + i * 16, x + quintet_row(layout, block, at.d, h) + (long)w * 16, 64);
        else memset(box + i * 16, 0, 64);
    }
    return box;
}

// Points of `count` tiles of one block, `step` apart, tile by tile.
static void flat_inputs(quintet_layout layout, const float *x, int block, int first, int count, float *points,
                        long step) {
    float part[FLAT_POINTS * 16] __attribute__((aligned(64)));
    for (int i = 0; i < count; i++) {
        tile_place at = place_of_flat_tile(layout, first + i), corner = {at.d, at.h - 1, at.w - 1};
        long row;
        const float *from = flat_box(layout, x, block, corner, 6, is_whole_flat(layout, at), part, &row);
        flat_input_16(from, row, points + i * 16, step);
    }
}

static void flat_gradients(quintet_layout layout, const float *dy, int block, int first, int count, float *points,
                           long step) {
    float part[TILE_H * TILE_W * 16] __attribute__((aligned(64)));
    for (int i = 0; i < count; i++) {
        tile_place at = place_of_flat_tile(layout, first + i);
        long row;
        const float *from = flat_box(layout, dy, block, at, TILE_H, is_whole_flat(layout, at), part, &row);
        flat_gradient_16(from, row, points + i * 16, step);
    }
}

static void flat_store_tile(const direct_job *job, int block, tile_place at, const float *points, long step,
                            const float *start) {
    quintet_layout layout = job->out_layout;
    if (is_whole_flat(layout, at)) {
        float *y = job->out + quintet_row(layout, block, at.d, at.h) + (long)at.w * 16;
        flat_output_16(points, step, y, quintet_steps_of(layout).row, start);
        return;
    }
    float part[TILE_H * TILE_W * 16] __attribute__((aligned(64)));
    if (!start) copy_box(layout, block, at, flat_tile, part, job->out, 1);
    flat_output_16(points, step, part, TILE_W * 16, start);
    copy_box(layout, block, at, flat_tile, part, job->out, 0);
}

// `count` tiles of one block, from the points at which their sums stand.
static void flat_store(const direct_job *job, int block, int first, int count, const float *points, long step,
                       int slot) {
    float start[16] __attribute__((aligned(64)));
    const int summed = is_summed(&job->norm, block);
    running_sums own = {0};
    load_bias(start, job->bias, block, job->out_layout);
    for (int i = 0; i < count; i++) {
        tile_place at = place_of_flat_tile(job->out_layout, first + i);
        flat_store_tile(job, block, at, points + i * 16, step, job->accumulate ? NULL : start);
        if (summed) sum_box(&job->norm, job->out, block, at, flat_tile, &own);
    }
    if (summed) store_sums(&job->norm, block, slot, &own);
}

// One point of neighbouring tiles and of two blocks of the result: as point_strips, with its bits, but a voxel that was
// read serves both blocks, and sums stay in registers from one input block to the next. Where an instruction set has
// too few registers for that, it is point_strips.
#if ROWS_MAX > 6
enum { FLAT_ROWS = 6 };
INLINE void flat_strip(const int rows, const float *x, long x_block, const float *w, long w_block, long w_out,
                       int blocks, float *y, long y_out, int fresh) {
    v16 total[2][FLAT_ROWS];
    for (int b = 0; b < blocks; b++, x += x_block, w += w_block) {
        v16 sum[2][FLAT_ROWS];
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) sum[0][r] = sum[1][r] = SPLAT(0);
#pragma clang loop unroll_count(UNROLL)
        for (int c = 0; c < 16; c++) {
            v16 first = LOAD(w + c * 16), second = LOAD(w + w_out + c * 16);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                v16 v = SPLAT(x[r * 16 + c]);
                sum[0][r] = FMA(v, first, sum[0][r]);
                sum[1][r] = FMA(v, second, sum[1][r]);
            }
        }
#pragma clang loop unroll(full)
        for (int o = 0; o < 2; o++)
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                v16 before = b > 0 ? total[o][r] : LOAD(y + o * y_out + r * 16);
                total[o][r] = fresh && b == 0 ? sum[o][r] : sum[o][r] + before;
            }
    }
#pragma clang loop unroll(full)
    for (int o = 0; o < 2; o++)
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) STORE(y + o * y_out + r * 16, total[o][r]);
}
#define FLAT_CASE(R) case R: flat_strip(R, x, x_block, w, w_block, w_out, blocks, y, y_out, fresh); break;
SEPARATE void flat_pair(int width, const float *x, long x_block, const float *w, long w_block, long w_out, int blocks,
                        float *y, long y_out, int fresh) {
    int strips = (width + FLAT_ROWS - 1) / FLAT_ROWS;
    for (int s = 0, done = 0; s < strips; s++) {
        int rows = (width - done) / (strips - s);
        switch (rows) { FLAT_CASE(1) FLAT_CASE(2) FLAT_CASE(3) FLAT_CASE(4) FLAT_CASE(5) FLAT_CASE(6) }
        done += rows;
        x += rows * 16;
        y += rows * 16;
    }
}
#else
static void flat_pair(int width, const float *x, long x_block, const float *w, long w_block, long w_out, int blocks,
                      float *y, long y_out, int fresh) {
    point_strips(width, x, x_block, w, w_block, blocks, y, fresh);
    point_strips(width, x, x_block, w + w_out, w_block, blocks, y + y_out, fresh);
}
#endif

// One point of `count` tiles, some blocks of the result, which `fresh` begins. The weights of some input blocks at a
// time stay in the first-level cache. w: [out][in][16][16], input blocks w_block floats apart.
enum { FLAT_INS = 8 };
static void flat_products(int count, const float *x, long x_block, const float *w, long w_block, int ins, int outs,
                          float *y, long y_out, int fresh) {
    const long w_out = ins * w_block;
    for (int o = 0; o < outs; o += 2, w += 2 * w_out, y += 2 * y_out)
        for (int b = 0; b < ins; b += FLAT_INS) {
            int blocks = ins - b < FLAT_INS ? ins - b : FLAT_INS, begins = fresh && b == 0;
            const float *from = x + b * x_block, *weights = w + b * w_block;
            if (o + 1 < outs)
                flat_pair(count, from, x_block, weights, w_block, w_out, blocks, y, y_out, begins);
            else point_strips(count, from, x_block, weights, w_block, blocks, y, begins);
        }
}

// One chunk of tiles, all channels. `group` is the chunk's size; w: [FLAT_POINTS][out][in * 16][16], padded.
static void flat_tiles_task(void *context, int index) {
    const direct_job *job = context;
    const int chunk = job->group, ins = job->in_blocks, outs = quintet_blocks(job->out_layout), first = index * chunk;
    int left = quintet_flat_tiles(job->out_layout) - first, count = left < chunk ? left : chunk;
    long in_step = quintet_flat_step(ins, chunk), out_step = quintet_flat_step(outs, chunk);
    long w_step = quintet_winograd_step(ins, outs);
    float *inputs = quintet_thread_scratch(FLAT_POINTS * (in_step + out_step));
    float *sums = inputs + FLAT_POINTS * in_step;
    for (int b = 0; b < ins; b++)
        flat_inputs(job->in_layout, job->in, b, first, count, inputs + (long)b * chunk * 16, in_step);
    for (int k = 0; k < FLAT_POINTS; k++)
        flat_products(count, inputs + k * in_step, chunk * 16, job->w + k * w_step, 256, ins, outs,
                      sums + k * out_step, chunk * 16, 1);
    for (int o = 0; o < outs; o++)
        flat_store(job, o, first, count, sums + (long)o * chunk * 16, out_step, index);
}

static void flat_by_tiles(quintet_pool *pool, const quintet_convolution *convolution, direct_job *job) {
    job->group = quintet_flat_chunk(convolution);
    quintet_pool_run(pool, quintet_parts(quintet_flat_tiles(job->out_layout), job->group), flat_tiles_task, job);
}

// Tiles [first, first + count) of a batch. Points: [FLAT_POINTS][block][batch][16], steps apart.
typedef struct {
    const direct_job *direct;
    float *inputs, *sums;
    int batch, first, count;
    long in_step, out_step;
} flat_points_job;

// The tiles of chunk `chunk` of a batch: how many there are.
INLINE int tiles_in_chunk(int count, int chunk) {
    int left = count - chunk * FLAT_CHUNK;
    return left < FLAT_CHUNK ? left : FLAT_CHUNK;
}

static void flat_points_input_task(void *context, int index) {
    const flat_points_job *job = context;
    int block = index % job->direct->in_blocks, chunk = index / job->direct->in_blocks, tile = chunk * FLAT_CHUNK;
    flat_inputs(job->direct->in_layout, job->direct->in, block, job->first + tile, tiles_in_chunk(job->count, chunk),
                job->inputs + ((long)block * job->batch + tile) * 16, job->in_step);
}

// One point, some blocks of the result.
enum { FLAT_OUTS = 4 };
static void flat_points_task(void *context, int index) {
    const flat_points_job *job = context;
    const int ins = job->direct->in_blocks, outs = quintet_blocks(job->direct->out_layout);
    const int parts = quintet_parts(outs, FLAT_OUTS), k = index / parts, begin = index % parts * FLAT_OUTS;
    const float *w = job->direct->w + k * quintet_winograd_step(ins, outs) + (long)begin * ins * 256;
    flat_products(job->count, job->inputs + k * job->in_step, job->batch * 16L, w, 256, ins,
                  outs - begin < FLAT_OUTS ? outs - begin : FLAT_OUTS,
                  job->sums + k * job->out_step + (long)begin * job->batch * 16, job->batch * 16L, 1);
}

static void flat_points_output_task(void *context, int index) {
    const flat_points_job *job = context;
    int outs = quintet_blocks(job->direct->out_layout), block = index % outs, chunk = index / outs;
    int tile = chunk * FLAT_CHUNK, first = job->first + tile;
    flat_store(job->direct, block, first, tiles_in_chunk(job->count, chunk),
               job->sums + ((long)block * job->batch + tile) * 16, job->out_step, first / FLAT_CHUNK);
}

static void flat_by_points(quintet_pool *pool, const quintet_convolution *convolution, const direct_job *direct) {
    const int ins = direct->in_blocks, outs = quintet_blocks(direct->out_layout);
    const int tiles = quintet_flat_tiles(direct->out_layout);
    flat_points_job job = {.direct = direct, .batch = quintet_flat_batch(convolution)};
    job.in_step = quintet_flat_step(ins, job.batch), job.out_step = quintet_flat_step(outs, job.batch);
    job.inputs = quintet_call_scratch(FLAT_POINTS * (job.in_step + job.out_step));
    job.sums = job.inputs + FLAT_POINTS * job.in_step;
    for (; job.first < tiles; job.first += job.batch) {
        job.count = tiles - job.first < job.batch ? tiles - job.first : job.batch;
        int chunks = quintet_parts(job.count, FLAT_CHUNK);
        quintet_pool_run(pool, ins * chunks, flat_points_input_task, &job);
        quintet_pool_run(pool, FLAT_POINTS * quintet_parts(outs, FLAT_OUTS), flat_points_task, &job);
        quintet_pool_run(pool, outs * chunks, flat_points_output_task, &job);
    }
}

// tile_products_16 of two blocks of gradients, `dy_block` apart, whose sums lie `sums_out` apart: the same bits.
#if ROWS_MAX > 6
INLINE void flat_pair_products(const float *x, const float *dy, long dy_block, float *sums, long sums_out, int count,
                               int fresh) {
    enum { CHANNELS = 8 };
    v16 a[2][CHANNELS];
#pragma clang loop unroll(full)
    for (int r = 0; r < CHANNELS; r++) a[0][r] = a[1][r] = SPLAT(0);
    for (int i = 0; i < count; i++) {
        v16 first = LOAD(dy + i * 16), second = LOAD(dy + dy_block + i * 16);
#pragma clang loop unroll(full)
        for (int r = 0; r < CHANNELS; r++) {
            v16 v = SPLAT(x[i * 16 + r]);
            a[0][r] = FMA(v, first, a[0][r]);
            a[1][r] = FMA(v, second, a[1][r]);
        }
    }
#pragma clang loop unroll(full)
    for (int o = 0; o < 2; o++)
#pragma clang loop unroll(full)
        for (int r = 0; r < CHANNELS; r++) {
            float *to = sums + o * sums_out + r * 16;
            STORE(to, fresh ? a[o][r] : a[o][r] + LOAD(to));
        }
}
SEPARATE void flat_pair_products_16(const float *x, const float *dy, long dy_block, float *sums, long sums_out,
                                    int count, int fresh) {
    flat_pair_products(x, dy, dy_block, sums, sums_out, count, fresh);
    flat_pair_products(x + 8, dy, dy_block, sums + 128, sums_out, count, fresh);
}
#else
static void flat_pair_products_16(const float *x, const float *dy, long dy_block, float *sums, long sums_out,
                                  int count, int fresh) {
    tile_products_16(x, dy, sums, count, fresh);
    tile_products_16(x, dy + dy_block, sums + sums_out, count, fresh);
}
#endif

// One point, one block of inputs with all blocks of gradients: sums [out][ins][16][16].
static void flat_gradient_products(int count, const float *x, const float *dy, long dy_block, int ins, int outs,
                                   float *sums, int fresh) {
    const long sums_out = ins * 256L;
    int o = 0;
    for (; o + 1 < outs; o += 2)
        flat_pair_products_16(x, dy + o * dy_block, dy_block, sums + o * sums_out, sums_out, count, fresh);
    if (o < outs) tile_products_16(x, dy + o * dy_block, sums + o * sums_out, count, fresh);
}

// One slot of tiles: scratch [slot][FLAT_POINTS][pair][16 fine][16 coarse].
static void flat_gradient_tiles_task(void *context, int slot) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int ins = quintet_blocks(fine), outs = quintet_blocks(coarse), pairs = ins * outs;
    long tiles = quintet_flat_tiles(coarse), begin = tiles * slot / job->slots;
    long end = tiles * (slot + 1) / job->slots;
    long in_step = quintet_flat_step(ins, FLAT_CHUNK), out_step = quintet_flat_step(outs, FLAT_CHUNK);
    float *inputs = quintet_thread_scratch(FLAT_POINTS * (in_step + out_step));
    float *gradients = inputs + FLAT_POINTS * in_step, *sums = job->scratch + (long)slot * FLAT_POINTS * pairs * 256;
    for (long first = begin; first < end; first += FLAT_CHUNK) {
        int count = end - first < FLAT_CHUNK ? (int)(end - first) : FLAT_CHUNK;
        for (int b = 0; b < ins; b++)
            flat_inputs(fine, job->x, b, (int)first, count, inputs + b * FLAT_CHUNK * 16L, in_step);
        for (int b = 0; b < outs; b++)
            flat_gradients(coarse, job->dy, b, (int)first, count, gradients + b * FLAT_CHUNK * 16L, out_step);
        for (int k = 0; k < FLAT_POINTS; k++)
            for (int b = 0; b < ins; b++)
                flat_gradient_products(count, inputs + k * in_step + b * FLAT_CHUNK * 16L, gradients + k * out_step,
                                       FLAT_CHUNK * 16L, ins, outs, sums + ((long)k * pairs + b) * 256,
                                       first == begin);
    }
}

// G^T on both axes: 36 points to nine taps, one input channel x 16 output channels; onto PyTorch's layout.
static void flat_add_taps(const gradient_job *job, int pair, int c, const float *points, long step) {
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int ins = quintet_blocks(fine), channel = quintet_channel(fine, pair % ins * 16 + c);
    if (channel < 0) return;
    v16 t[18], r[6], g[3], taps[16];
    for (int h = 0; h < 6; h++) {
        for (int w = 0; w < 6; w++) r[w] = LOAD(points + (h * 6 + w) * step);
        taps_of_six(1, r, t + h * 3);
    }
    for (int w = 0; w < 3; w++) {
        for (int h = 0; h < 6; h++) r[h] = t[h * 3 + w];
        taps_of_six(1, r, g);
        for (int h = 0; h < 3; h++) taps[h * 3 + w] = g[h];
    }
    for (int i = 9; i < 16; i++) taps[i] = SPLAT(0);
    transpose_16(taps);
    for (int l = 0; l < 16; l++) {
        int out = quintet_channel(coarse, pair / ins * 16 + l);
        if (out < 0) continue;
        float row[16], *gradient = job->gradient + ((long)out * fine.channels + channel) * 9;
        STORE_ANY(row, taps[l]);
        for (int i = 0; i < 9; i++) gradient[i] += row[i];
    }
}

// Adds the slots of one point, in their order, to the first.
static void flat_slots_task(void *context, int point) {
    const gradient_job *job = context;
    const long floats = quintet_blocks(job->convolution->fine) * quintet_blocks(job->convolution->coarse) * 256L;
    float *sums = job->scratch + point * floats;
    for (int slot = 1; slot < job->slots; slot++) {
        const float *from = sums + slot * FLAT_POINTS * floats;
        for (long i = 0; i < floats; i += 16) STORE(sums + i, LOAD(sums + i) + LOAD(from + i));
    }
}

// One pair of blocks.
static void flat_gradient_sum_task(void *context, int pair) {
    const gradient_job *job = context;
    const int pairs = quintet_blocks(job->convolution->fine) * quintet_blocks(job->convolution->coarse);
    for (int c = 0; c < 16; c++) flat_add_taps(job, pair, c, job->scratch + pair * 256L + c * 16, pairs * 256L);
}

static void flat_gradient_by_tiles(quintet_pool *pool, gradient_job *job) {
    int pairs = quintet_blocks(job->convolution->fine) * quintet_blocks(job->convolution->coarse);
    quintet_pool_run(pool, job->slots, flat_gradient_tiles_task, job);
    quintet_pool_run(pool, FLAT_POINTS, flat_slots_task, job);
    quintet_pool_run(pool, pairs, flat_gradient_sum_task, job);
}

// A batch of tiles as above; the sums [FLAT_POINTS][pair][16 fine][16 coarse] lie before the points.
typedef struct {
    const gradient_job *gradient;
    float *inputs, *gradients;
    int batch, first, count;
    long in_step, out_step;
} flat_gradient_job;

static void flat_gradient_points_task(void *context, int index) {
    const flat_gradient_job *job = context;
    const quintet_convolution *convolution = job->gradient->convolution;
    const int ins = quintet_blocks(convolution->fine), blocks = ins + quintet_blocks(convolution->coarse);
    int block = index % blocks, chunk = index / blocks, tile = chunk * FLAT_CHUNK, first = job->first + tile;
    int count = tiles_in_chunk(job->count, chunk);
    if (block < ins)
        flat_inputs(convolution->fine, job->gradient->x, block, first, count,
                    job->inputs + ((long)block * job->batch + tile) * 16, job->in_step);
    else
        flat_gradients(convolution->coarse, job->gradient->dy, block - ins, first, count,
                       job->gradients + ((long)(block - ins) * job->batch + tile) * 16, job->out_step);
}

// One point, one block of the fine side.
static void flat_gradient_products_task(void *context, int index) {
    const flat_gradient_job *job = context;
    const int ins = quintet_blocks(job->gradient->convolution->fine);
    const int outs = quintet_blocks(job->gradient->convolution->coarse), k = index / ins, i = index % ins;
    const float *x = job->inputs + k * job->in_step + (long)i * job->batch * 16;
    const float *dy = job->gradients + k * job->out_step;
    float *sums = job->gradient->scratch + ((long)k * outs * ins + i) * 256;
    for (int tile = 0; tile < job->count; tile += FLAT_CHUNK)
        flat_gradient_products(tiles_in_chunk(job->count, tile / FLAT_CHUNK), x + tile * 16L, dy + tile * 16L,
                               job->batch * 16L, ins, outs, sums, job->first == 0 && tile == 0);
}

static void flat_gradient_by_points(quintet_pool *pool, gradient_job *gradient) {
    const quintet_convolution *convolution = gradient->convolution;
    const int ins = quintet_blocks(convolution->fine), outs = quintet_blocks(convolution->coarse);
    const int tiles = quintet_flat_tiles(convolution->coarse);
    flat_gradient_job job = {.gradient = gradient, .batch = quintet_flat_batch(convolution)};
    job.in_step = quintet_flat_step(ins, job.batch), job.out_step = quintet_flat_step(outs, job.batch);
    job.inputs = gradient->scratch + FLAT_POINTS * 256L * ins * outs;
    job.gradients = job.inputs + FLAT_POINTS * job.in_step;
    for (; job.first < tiles; job.first += job.batch) {
        job.count = tiles - job.first < job.batch ? tiles - job.first : job.batch;
        int chunks = quintet_parts(job.count, FLAT_CHUNK);
        quintet_pool_run(pool, (ins + outs) * chunks, flat_gradient_points_task, &job);
        quintet_pool_run(pool, FLAT_POINTS * ins, flat_gradient_products_task, &job);
    }
    quintet_pool_run(pool, ins * outs, flat_gradient_sum_task, gradient);
}

// G on both axes: the weights of one pair of blocks to 36 points `step` apart: [FLAT_POINTS][16 in][16 out].
static void flat_transform_pair(const weight_source *from, int pair, float *points, long step) {
    for (int c = 0; c < 16; c++) {
        v16 g[27], u[18], r[3], p[6];
        taps_of_channel(from, pair, c, g);
        for (int w = 0; w < 3; w++) {
            for (int h = 0; h < 3; h++) r[h] = g[from->direction == QUINTET_FORWARD ? h * 3 + w : 8 - h * 3 - w];
            six_of_taps(1, r, p);
            for (int h = 0; h < 6; h++) u[h * 3 + w] = p[h];
        }
        for (int h = 0; h < 6; h++) {
            six_of_taps(1, u + h * 3, p);
            for (int w = 0; w < 6; w++) STORE(points + c * 16 + (h * 6 + w) * step, p[w]);
        }
    }
}
#endif
