// Winograd convolution of blocked tensors, 3x3x3 at stride 1 (Lavin and Gray, "Fast algorithms for convolutional neural
// networks", CVPR 2016): F(2,3) along depth and F(4,3) along height and width, so that a tile of 2x4x4 outputs takes
// 4x6x6 = 144 products instead of 864. Included once per instruction set; the lanes of a transform are channels, so its
// vector's width (LANES) changes no bit.

enum { POINTS = 144, TILE_D = 2, TILE_H = 4, TILE_W = 4 };
typedef float lanes __attribute__((ext_vector_type(LANES)));
typedef float any_lanes __attribute__((ext_vector_type(LANES), aligned(4)));
#define LANE_SPLAT(x) ((lanes)(float)(x))
#define LANE_LOAD(p) ((lanes)(*(const any_lanes *)(p)))
#define LANE_STORE(p, v) (*(any_lanes *)(p) = (any_lanes)(v))

// B^T of F(4,3): six inputs to six points.
INLINE void input_points(lanes *d) {
    lanes two = LANE_SPLAT(2), four = LANE_SPLAT(4), five = LANE_SPLAT(5);
    lanes p = FMA(-four, d[2], d[4]), q = FMA(-four, d[1], d[3]), r = d[4] - d[2], s = d[3] - d[1];
    lanes first = FMA(four, d[0], FMA(-five, d[2], d[4])), last = FMA(four, d[1], FMA(-five, d[3], d[5]));
    d[0] = first;
    d[1] = p + q;
    d[2] = p - q;
    d[3] = FMA(two, s, r);
    d[4] = FMA(-two, s, r);
    d[5] = last;
}

// A^T of F(4,3): six points to four outputs.
INLINE void output_values(lanes *m) {
    lanes two = LANE_SPLAT(2), four = LANE_SPLAT(4), eight = LANE_SPLAT(8);
    lanes p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    m[0] = m[0] + p + r;
    m[3] = FMA(eight, s, q) + m[5];
    m[2] = FMA(four, r, p);
    m[1] = FMA(two, s, q);
}

// A of F(4,3): four output gradients to six points.
INLINE void gradient_points(const lanes *y, lanes *o) {
    lanes two = LANE_SPLAT(2), four = LANE_SPLAT(4);
    lanes e = y[0] + y[2], f = y[1] + y[3], g = FMA(four, y[2], y[0]), h = two * FMA(four, y[3], y[1]);
    o[0] = y[0];
    o[1] = e + f;
    o[2] = e - f;
    o[3] = g + h;
    o[4] = g - h;
    o[5] = y[3];
}

// One tile of one block, some lanes: x is the tile's first halo voxel, points lie `step` floats apart.
INLINE void transform_input(const float *x, quintet_steps at, float *points, long step) {
    lanes t[POINTS];
    for (int w = 0; w < 6; w++)
        for (int d = 0; d < 4; d++) {
            // B^T of F(2,3): d0 - d2, d1 + d2, d2 - d1, d1 - d3.
            static const int first[4] = {0, 1, 2, 1}, second[4] = {2, 2, 1, 3};
            lanes r[6];
            for (int h = 0; h < 6; h++) {
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
    int32_t x_offset[WINOGRAD_BLOCKS_MAX], w_offset[WINOGRAD_BLOCKS_MAX];
    for (int b = 0; b < ins; b++) x_offset[b] = b * chunk * 16, w_offset[b] = b * 256;
    float start[16] __attribute__((aligned(64))) = {0};
    long w_step = quintet_winograd_step(ins, outs);
    for (int k = 0; k < POINTS; k++)
        for (int o = 0; o < outs; o++)
            strips_1_1(count, inputs + k * in_step, x_offset, job->w + k * w_step + (long)o * ins * 256, w_offset, ins,
                       sums + k * out_step + (long)o * chunk * 16, start);
    for (int o = 0; o < outs; o++) {
        load_bias(start, job->bias, o, job->out_layout);
        for (int i = 0; i < count; i++)
            store_tile(job, o, place_of_tile(job->out_layout, first + i), sums + ((long)o * chunk + i) * 16, out_step,
                       start);
    }
}

// Sums over a chunk's tiles of input point x gradient point: `rows` input channels x 16 output channels.
INLINE void tile_products(const int rows, const float *x, const float *dy, float *sums, int count, int fresh) {
    v16 a[16];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) a[r] = fresh ? SPLAT(0) : LOAD(sums + r * 16);
    for (int i = 0; i < count; i++) {
        v16 b = LOAD(dy + i * 16);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) a[r] = FMA(SPLAT(x[i * 16 + r]), b, a[r]);
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) STORE(sums + r * 16, a[r]);
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

// At stride 2 (conv_parity.h) the weights' points are others: F(4,2) on taps 0 and 2, the middle tap as it is; in depth
// the sums of taps 0 and 2 beside them.

// G^T of F(4,3), or of stride 2: six points to three taps.
INLINE void taps_of_six(const int stride, const v16 *u, v16 *g) {
    v16 sixth = SPLAT(1.0f / 6);
    if (stride == 1) {
        v16 sum = u[1] + u[2], outer = u[3] + u[4];
        g[0] = FMA(SPLAT(1.0f / 4), u[0], FMA(SPLAT(1.0f / 24), outer, SPLAT(-1.0f / 6) * sum));
        g[1] = FMA(SPLAT(1.0f / 12), u[3] - u[4], sixth * (u[2] - u[1]));
        g[2] = FMA(sixth, outer - sum, u[5]);
    } else {
        g[0] = FMA(SPLAT(0.5f), u[0] - u[1], sixth * (u[3] - u[2]));
        g[1] = u[5];
        g[2] = FMA(SPLAT(1.0f / 3), u[3], FMA(sixth, u[2], FMA(SPLAT(-0.5f), u[1], u[4])));
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
    if (job->convolution->stride == 1) taps_of_points_1(points, step, taps);
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
        v16 sum = g[0] + g[2], outer = FMA(SPLAT(4), g[2], g[0]) * SPLAT(1.0f / 24), middle = g[1] * SPLAT(1.0f / 12);
        u[0] = g[0] * SPLAT(1.0f / 4);
        u[1] = (sum + g[1]) * SPLAT(-1.0f / 6);
        u[2] = (sum - g[1]) * SPLAT(-1.0f / 6);
        u[3] = outer + middle;
        u[4] = outer - middle;
        u[5] = g[2];
    } else {
        u[0] = g[0] * SPLAT(0.5f);
        u[1] = (g[0] + g[2]) * SPLAT(-0.5f);
        u[2] = (g[2] - g[0]) * SPLAT(1.0f / 6);
        u[3] = FMA(SPLAT(2), g[2], g[0]) * SPLAT(1.0f / 6);
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

// Few tiles: the points of all of them lie block by block, [block][POINTS][tile][16]; `step` is from point to point.
typedef struct {
    const direct_job *direct;
    float *inputs;
    int tiles;
    long step;
} few_tiles_job;

static void few_tiles_input_task(void *context, int block) {
    const few_tiles_job *job = context;
    const direct_job *direct = job->direct;
    const float *x = direct->in + block * quintet_steps_of(direct->in_layout).block;
    inputs_of_chunk(direct->in_layout, x, 1, 0, job->tiles, job->tiles,
                    job->inputs + block * quintet_winograd_block(job->tiles), job->step);
}

// Weights of one pair of blocks, as the direct kernels want them ([27][16 in][16 out]), to points `step` apart.
SEPARATE void transform_pair(const float *w, int flipped, float *points, long step) {
    for (int c = 0; c < 16; c++) {
        v16 g[27];
        for (int t = 0; t < 27; t++) g[t] = LOAD(w + (flipped ? 26 - t : t) * 256 + c * 16);
        transform_taps_1(g, points + c * 16, step);
    }
}

// One block of output channels of all tiles; input blocks two at a time where the second-level cache holds them.
static void few_tiles_task(void *context, int block) {
    const few_tiles_job *job = context;
    const direct_job *direct = job->direct;
    // An odd number of cache lines from point to point, so that they spread over the cache's sets.
    const long w_step = 17 * 16, from_block = quintet_winograd_block(job->tiles);
    float *weights = quintet_thread_scratch(2 * POINTS * w_step + from_block), *sums = weights + 2 * POINTS * w_step;
    float start[16] __attribute__((aligned(64))) = {0};
    const int32_t x_offset[2] = {0, (int32_t)from_block}, w_offset[2] = {0, (int32_t)(POINTS * w_step)};
    const int together = job->tiles <= 32 ? 2 : 1;
    for (int b = 0; b < direct->in_blocks; b += together) {
        int count = direct->in_blocks - b < together ? 1 : together;
        const float *inputs = job->inputs + b * from_block;
        for (int i = 0; i < count; i++)
            transform_pair(direct->w + ((long)block * direct->in_blocks + b + i) * 27 * 256, direct->flipped,
                           weights + w_offset[i], w_step);
        for (int k = 0; k < POINTS; k++)
            strips_1_1(job->tiles, inputs + k * job->step, x_offset, weights + k * w_step, w_offset, count,
                       sums + k * job->step, b == 0 ? start : NULL);
    }
    load_bias(start, direct->bias, block, direct->out_layout);
    for (int i = 0; i < job->tiles; i++)
        store_tile(direct, block, place_of_tile(direct->out_layout, i), sums + i * 16, job->step, start);
}

static void winograd_of_few_tiles(quintet_pool *pool, const direct_job *direct) {
    int tiles = quintet_winograd_tiles(direct->out_layout);
    few_tiles_job job = {direct, quintet_call_scratch(direct->in_blocks * quintet_winograd_block(tiles)), tiles,
                         (tiles + 1) * 16};
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
        inputs_of_chunk(fine, job->x + block * quintet_steps_of(fine).block, 1, 0, tiles, tiles, points,
                        (tiles + 1) * 16);
    else
        gradients_of_chunk(coarse, job->dy + (block - ins) * quintet_steps_of(coarse).block, 1, 0, tiles, tiles, points,
                           (tiles + 1) * 16);
}

// Then every pair's sums, which never leave the cache.
static void few_tiles_gradient_task(void *context, int pair) {
    const gradient_job *job = context;
    int tiles = quintet_winograd_tiles(job->convolution->coarse), ins = quintet_blocks(job->convolution->fine);
    const float *inputs = job->scratch + pair % ins * quintet_winograd_block(tiles);
    const float *gradients = job->scratch + (ins + pair / ins) * quintet_winograd_block(tiles);
    const long step = 17 * 16;
    float *sums = quintet_thread_scratch(POINTS * step);
    for (int k = 0; k < POINTS; k++)
        tile_products_16(inputs + k * (tiles + 1) * 16, gradients + k * (tiles + 1) * 16, sums + k * step, tiles, 1);
    for (int c = 0; c < 16; c++) add_taps(job, pair, c, sums + c * 16, step);
}
