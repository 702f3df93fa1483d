// Convolutions with a planar side: a network's few input channels into blocks of 16, and the few output channels at
// full resolution, where padding to 16 would cost more than the rest of the network. Included once per instruction set.
#ifndef QUINTET_CONV_PLANAR_H
#define QUINTET_CONV_PLANAR_H

typedef struct {
    const quintet_convolution *convolution;
    const float *in, *w, *bias;
    float *out;
    int accumulate;
    // Neighbouring rows of one task: what they read in common is read by one thread.
    int group;
    norm_sums norm;
} planar_job;

// Rows [first, last) of plane `d` of block `block` that are one task's.
typedef struct { int block, d, first, last; } planar_rows;

INLINE planar_rows planar_rows_of(quintet_layout layout, int group, int index) {
    int groups = quintet_parts(layout.height, group), first = index % groups * group, plane = index / groups;
    int last = first + group < layout.height ? first + group : layout.height;
    return (planar_rows){plane / layout.depth, plane % layout.depth, first, last};
}

// `rows` voxels x 16 output channels; taps of all planar channels in one list. in_step: the stride.
INLINE void planar_strip(const int rows, const int in_step, const float *x, const int32_t *x_offset, const float *w,
                         int taps, float *y, const float *start) {
    v16 sum[6];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) sum[r] = start ? LOAD(start) : LOAD(y + r * 16);
    for (int t = 0; t < taps; t++) {
        const float *xp = x + x_offset[t];
        v16 b = LOAD(w + t * 16);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) sum[r] = FMA(SPLAT(xp[r * in_step]), b, sum[r]);
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) STORE(y + r * 16, sum[r]);
}
#define DEFINE_PLANAR_ROW(NAME, STEP) \
    SEPARATE void NAME(int width, const float *x, const int32_t *x_offset, const float *w, int taps, float *y, \
                       const float *start) { \
        int q = 0; \
        for (; q + 6 <= width; q += 6) planar_strip(6, STEP, x + q * STEP, x_offset, w, taps, y + q * 16, start); \
        for (; q < width; q++) planar_strip(1, STEP, x + q * STEP, x_offset, w, taps, y + q * 16, start); \
    }
DEFINE_PLANAR_ROW(planar_row_1, 1)
DEFINE_PLANAR_ROW(planar_row_2, 2)

// Offsets of every tap of every planar channel from a row's first voxel: channel, then taps in order.
INLINE int planar_offsets(quintet_layout planar, quintet_size3 k, int32_t *offset) {
    quintet_steps steps = quintet_steps_of(planar);
    int taps = 0;
    for (int c = 0; c < planar.channels; c++)
        for (int t = 0; t < k.depth * k.height * k.width; t++) {
            int kd = t / (k.height * k.width), kh = t / k.width % k.height, kw = t % k.width;
            offset[taps++] = (int32_t)(c * steps.block + (kd - quintet_reach(k.depth)) * steps.plane
                                       + (kh - quintet_reach(k.height)) * steps.row + kw - quintet_reach(k.width));
        }
    return taps;
}

// Planar fine -> blocked coarse, some rows of one block. w: [blocks][channels][taps][16].
static void planar_to_blocked_task(void *context, int index) {
    const planar_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const quintet_size3 s = job->convolution->stride;
    planar_rows rows = planar_rows_of(coarse, job->group, index);
    int32_t offset[PLANAR_CHANNELS_MAX * 27];
    int taps = planar_offsets(fine, job->convolution->kernel, offset);
    float start[16] __attribute__((aligned(64)));
    load_bias(start, job->bias, rows.block, coarse);
    const float *w = job->w + (long)rows.block * taps * 16, *from = job->accumulate ? NULL : start;
    const int summed = is_summed(&job->norm, rows.block);
    running_sums own = {0};
    for (int h = rows.first; h < rows.last; h++) {
        const float *x = job->in + quintet_row(fine, 0, rows.d * s.depth, h * s.height);
        float *y = job->out + quintet_row(coarse, rows.block, rows.d, h);
        if (s.width == 1) planar_row_1(coarse.width, x, offset, w, taps, y, from);
        else planar_row_2(coarse.width, x, offset, w, taps, y, from);
        if (summed) sum_blocked_rows(y, 0, 1, coarse.width, &own);
    }
    if (summed) store_sums(&job->norm, rows.block, index % job->norm.slots, &own);
}

// Sums the lanes of each of 16 vectors into the lanes of one, in a fixed tree.
INLINE v16 sum_lanes_16(v16 *a) {
    for (int i = 0; i < 8; i++)
        a[i] = __builtin_shufflevector(a[i], a[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
               + __builtin_shufflevector(a[i], a[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    for (int i = 0; i < 4; i++)
        a[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
               + __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    for (int i = 0; i < 2; i++)
        a[i] = __builtin_shufflevector(a[i], a[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
               + __builtin_shufflevector(a[i], a[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    return __builtin_shufflevector(a[0], a[1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
           + __builtin_shufflevector(a[0], a[1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
}

INLINE float sum_lanes(v16 a) {
    float lane[16];
    STORE_ANY(lane, a);
    for (int width = 8; width >= 1; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
}

// Voxels whose products stand in registers together, for two channels at once.
#if ROWS_MAX > 6
enum { PRODUCT_ROWS = 8 };
#else
enum { PRODUCT_ROWS = 2 };
#endif

// Scalar products of `rows` neighbouring coarse voxels with the taps' weights of `channels` (1 or 2) planar channels,
// lane by lane: sum [channels][16]. w_step: from one channel's weights to the next's.
INLINE void planar_products(const int rows, const int channels, const float *x, const int32_t *x_offset,
                            const float *w, const int32_t *w_offset, long w_step, int taps, v16 *sum) {
    v16 a[2][PRODUCT_ROWS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) a[0][r] = a[1][r] = SPLAT(0);
    for (int t = 0; t < taps; t++) {
        v16 first = LOAD(w + w_offset[t]), second = channels > 1 ? LOAD(w + w_step + w_offset[t]) : first;
        const float *xp = x + x_offset[t];
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            v16 v = LOAD(xp + r * 16);
            a[0][r] = FMA(v, first, a[0][r]);
            if (channels > 1) a[1][r] = FMA(v, second, a[1][r]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        sum[r] = a[0][r];
        if (channels > 1) sum[16 + r] = a[1][r];
    }
}

// One row of `channels` planar channels: out[c][q * step] = start[c] or itself, plus the products of coarse voxel q.
INLINE void blocked_to_planar_row(const int channels, int width, const float *x, const int32_t *x_offset,
                                  const float *w, const int32_t *w_offset, long w_step, int taps, float *const *out,
                                  int step, const float *start, int accumulate) {
    for (int q = 0; q < width; q += 16) {
        v16 sum[32];
        int count = width - q < 16 ? width - q : 16, r = 0;
        for (; r + PRODUCT_ROWS <= count; r += PRODUCT_ROWS)
            planar_products(PRODUCT_ROWS, channels, x + (q + r) * 16, x_offset, w, w_offset, w_step, taps, sum + r);
        for (; r < count; r++)
            planar_products(1, channels, x + (q + r) * 16, x_offset, w, w_offset, w_step, taps, sum + r);
        for (; r < 16; r++) sum[r] = sum[16 + r] = SPLAT(0);
        for (int c = 0; c < channels; c++) {
            float lane[16], *y = out[c] + (long)q * step;
            STORE_ANY(lane, sum_lanes_16(sum + c * 16));
            for (r = 0; r < count; r++) y[(long)r * step] = (accumulate ? y[(long)r * step] : start[c]) + lane[r];
        }
    }
}
SEPARATE void blocked_to_planar_1(int width, const float *x, const int32_t *x_offset, const float *w,
                                  const int32_t *w_offset, int taps, float *const *out, int step, const float *start,
                                  int accumulate) {
    blocked_to_planar_row(1, width, x, x_offset, w, w_offset, 0, taps, out, step, start, accumulate);
}
SEPARATE void blocked_to_planar_2(int width, const float *x, const int32_t *x_offset, const float *w,
                                  const int32_t *w_offset, long w_step, int taps, float *const *out, int step,
                                  const float *start, int accumulate) {
    blocked_to_planar_row(2, width, x, x_offset, w, w_offset, w_step, taps, out, step, start, accumulate);
}

// The taps of one axis that meet fine coordinate f: all of them at stride 1.
INLINE int planar_taps_meeting(int kernel, int stride, int f, int *tap, int *coarse) {
    if (stride == 2) return taps_meeting(f, tap, coarse);
    for (int t = 0; t < kernel; t++) tap[t] = t, coarse[t] = f + quintet_reach(kernel) - t;
    return kernel;
}

// Blocked coarse -> planar fine, one fine row of every channel. w: [channels][blocks][taps][16 coarse].
SEPARATE void blocked_to_planar_rows(const planar_job *job, int d, int h) {
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const quintet_size3 k = job->convolution->kernel;
    const int s = job->convolution->stride.height, blocks = quintet_blocks(coarse);
    int kd[3], cd[3], kh[3], ch[3], nd = planar_taps_meeting(k.depth, job->convolution->stride.depth, d, kd, cd);
    int nh = planar_taps_meeting(k.height, s, h, kh, ch);
    int32_t x_offset[27 * PLANAR_BLOCKS_MAX], w_offset[27 * PLANAR_BLOCKS_MAX];
    for (int parity = 0; parity < s; parity++) {
        int kw[3], cw[3], nw = planar_taps_meeting(k.width, s, parity, kw, cw), taps = 0;
        for (int b = 0; b < blocks; b++)
            for (int t = 0; t < nd * nh * nw; t++, taps++) {
                int i = t / (nh * nw), j = t / nw % nh, l = t % nw;
                x_offset[taps] = (int32_t)(quintet_row(coarse, b, cd[i], ch[j]) + cw[l] * 16);
                w_offset[taps] = (((b * k.depth + kd[i]) * k.height + kh[j]) * k.width + kw[l]) * 16;
            }
        float start[PLANAR_CHANNELS_MAX] = {0}, *out[PLANAR_CHANNELS_MAX];
        for (int c = 0; c < fine.channels; c++) {
            out[c] = job->out + quintet_row(fine, c, d, h) + parity;
            if (job->bias) start[c] = job->bias[c];
        }
        long w_step = (long)blocks * quintet_taps(job->convolution) * 16;
        int c = 0;
        for (; c + 2 <= fine.channels; c += 2)
            blocked_to_planar_2(coarse.width, job->in, x_offset, job->w + c * w_step, w_offset, w_step, taps, out + c,
                                s, start + c, job->accumulate);
        if (c < fine.channels)
            blocked_to_planar_1(coarse.width, job->in, x_offset, job->w + c * w_step, w_offset, taps, out + c, s,
                                start + c, job->accumulate);
    }
}

static void blocked_to_planar_task(void *context, int index) {
    const planar_job *job = context;
    planar_rows rows = planar_rows_of(job->convolution->fine, job->group, index);
    for (int h = rows.first; h < rows.last; h++) blocked_to_planar_rows(job, rows.d, h);
}

// The same at stride 2 with kernel 3, the network's last layer but one. Here the coarse rows are turned round first, so
// that lanes are neighbouring voxels and no sum runs across lanes: the scratch holds [plane][row][channel][step] of the
// two coarse planes that two fine planes need.
#if ROWS_MAX > 6
enum { TURNED_VECTORS = 4 };
#else
enum { TURNED_VECTORS = 1 };
#endif

// One vector of each of 16 voxels becomes one vector of each of 16 channels.
INLINE void transpose_16(v16 *a) {
    v16 b[16];
#pragma clang loop unroll(full)
    for (int round = 0; round < 4; round++) {
        v16 *from = round % 2 ? b : a, *to = round % 2 ? a : b;
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
            to[2 * i] = __builtin_shufflevector(from[i], from[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
                                                7, 23);
            to[2 * i + 1] = __builtin_shufflevector(from[i], from[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29,
                                                    14, 30, 15, 31);
        }
    }
}

// Voxels 0 to `width`, the halo's first, of one row of one block: to [16][step].
SEPARATE void turn_row(const float *x, int width, float *to, long step) {
    for (int q = 0; q <= width; q += 16) {
        v16 a[16];
        int count = width + 1 - q;
        if (count >= 16) {
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) a[i] = LOAD(x + (q + i) * 16);
        } else {
            for (int i = 0; i < 16; i++) a[i] = i < count ? LOAD(x + (q + i) * 16) : SPLAT(0);
        }
        transpose_16(a);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) STORE(to + i * step + q, a[i]);
    }
}

// Coarse rows that one fine row meets, turned round, each with its weights' first tap along the row.
typedef struct {
    const float *x[4], *w[4];
    int count, blocks;
    // Of x from channel to channel, of w from one planar channel to the next.
    long x_step, w_step;
} turned_taps;

// `vectors` times 16 coarse voxels from q on: sums of the even fine voxels, then of the odd ones, of `outs` channels.
INLINE void turned_sums(const int outs, const int vectors, const turned_taps *taps, int q, v16 (*result)[2][4]) {
    v16 sum[2][2][4];
#pragma clang loop unroll(full)
    for (int o = 0; o < outs; o++)
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) sum[o][0][i] = sum[o][1][i] = SPLAT(0);
    for (int p = 0; p < taps->count; p++)
        for (int b = 0; b < taps->blocks; b++) {
            const float *x = taps->x[p] + b * 16 * taps->x_step + q, *w = taps->w[p] + (long)b * 27 * 16;
            for (int c = 0; c < 16; c++, x += taps->x_step, w++) {
#pragma clang loop unroll(full)
                for (int i = 0; i < vectors; i++) {
                    v16 here = LOAD(x + i * 16), next = LOAD_ANY(x + i * 16 + 1);
#pragma clang loop unroll(full)
                    for (int o = 0; o < outs; o++) {
                        const float *own = w + o * taps->w_step;
                        sum[o][0][i] = FMA(here, SPLAT(own[16]), sum[o][0][i]);
                        sum[o][1][i] = FMA(here, SPLAT(own[32]), sum[o][1][i]);
                        sum[o][1][i] = FMA(next, SPLAT(own[0]), sum[o][1][i]);
                    }
                }
            }
        }
#pragma clang loop unroll(full)
    for (int o = 0; o < outs; o++)
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) result[o][0][i] = sum[o][0][i], result[o][1][i] = sum[o][1][i];
}

// 16 even and 16 odd voxels side by side, `count` of each.
INLINE void store_turned(float *y, v16 even, v16 odd, int count, float start, int accumulate) {
    v16 low = __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v16 high = __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    if (count >= 16) {
        STORE_ANY(y, low + (accumulate ? LOAD_ANY(y) : SPLAT(start)));
        STORE_ANY(y + 16, high + (accumulate ? LOAD_ANY(y + 16) : SPLAT(start)));
        return;
    }
    float lane[32];
    STORE_ANY(lane, low);
    STORE_ANY(lane + 16, high);
    for (int i = 0; i < 2 * count; i++) y[i] = lane[i] + (accumulate ? y[i] : start);
}

INLINE void turned_row(const int outs, const turned_taps *taps, int width, float *const *y, const float *start,
                       int accumulate) {
    v16 sum[2][2][4];
    for (int q = 0; q < width;) {
        int whole = q + 16 * TURNED_VECTORS <= width, vectors = whole ? TURNED_VECTORS : 1;
        if (whole) turned_sums(outs, TURNED_VECTORS, taps, q, sum);
        else turned_sums(outs, 1, taps, q, sum);
        for (int i = 0; i < vectors; i++, q += 16)
            for (int o = 0; o < outs; o++)
                store_turned(y[o] + 2 * q, sum[o][0][i], sum[o][1][i], width - q, start[o], accumulate);
    }
}
SEPARATE void turned_row_1(const turned_taps *taps, int width, float *const *y, const float *start, int accumulate) {
    turned_row(1, taps, width, y, start, accumulate);
}
SEPARATE void turned_row_2(const turned_taps *taps, int width, float *const *y, const float *start, int accumulate) {
    turned_row(2, taps, width, y, start, accumulate);
}

typedef struct {
    const planar_job *job;
    planar_rows rows;
    turned_taps taps;
    // Of the turned rows; a plane lies at its number's parity.
    float *turned;
    long row_step, plane_step;
    // Of what was written of each channel.
    running_sums *own;
} turned_part;

static void turn_plane(const turned_part *part, int d) {
    quintet_layout coarse = part->job->convolution->coarse;
    float *to = part->turned + d % 2 * part->plane_step;
    for (int h = part->rows.first; h <= part->rows.last; h++, to += part->row_step)
        for (int b = 0; b < part->taps.blocks; b++)
            turn_row(part->job->in + quintet_row(coarse, b, d, h), coarse.width, to + b * 16 * part->taps.x_step,
                     part->taps.x_step);
}

// All fine rows that begin at the part's coarse rows, of fine plane d.
static void turned_fine_plane(turned_part *part, int d) {
    const planar_job *job = part->job;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    turned_taps *taps = &part->taps;
    for (int h = 2 * part->rows.first; h < 2 * part->rows.last; h++) {
        int kd[2], cd[2], kh[2], ch[2], nd = taps_meeting(d, kd, cd), nh = taps_meeting(h, kh, ch);
        taps->count = nd * nh;
        for (int c = 0; c < fine.channels; c += 2) {
            for (int p = 0; p < taps->count; p++) {
                int i = p / nh, j = p % nh;
                taps->x[p] = part->turned + cd[i] % 2 * part->plane_step + (ch[j] - part->rows.first) * part->row_step;
                taps->w[p] = job->w + c * taps->w_step + (kd[i] * 3 + kh[j]) * 3 * 16;
            }
            int outs = fine.channels - c < 2 ? 1 : 2;
            float start[2] = {0}, *y[2];
            for (int o = 0; o < outs; o++) {
                y[o] = job->out + quintet_row(fine, c + o, d, h);
                if (job->bias) start[o] = job->bias[c + o];
            }
            if (outs == 2) turned_row_2(taps, coarse.width, y, start, job->accumulate);
            else turned_row_1(taps, coarse.width, y, start, job->accumulate);
            for (int o = 0; job->norm.sums && o < outs; o++) sum_planar_row(y[o], fine.width, &part->own[c + o]);
        }
    }
}

// Some coarse planes' and rows' worth of fine ones; of the former one more is turned round than is used up.
static void turned_task(void *context, int index) {
    const planar_job *job = context;
    quintet_layout coarse = job->convolution->coarse;
    planar_rows rows = planar_rows_of(coarse, job->group, index);
    const long blocks = quintet_blocks(coarse);
    int first = rows.d * TURNED_PLANES, last = first + TURNED_PLANES;
    if (last > coarse.depth) last = coarse.depth;
    // An odd number of cache lines from channel to channel, so that they spread over the cache's sets.
    long x_step = ((coarse.width + 16) / 16 | 1) * 16, row_step = blocks * 16 * x_step;
    running_sums own[PLANAR_CHANNELS_MAX] = {0};
    turned_part part = {.job = job, .rows = rows, .row_step = row_step, .own = own,
                        .plane_step = row_step * (rows.last - rows.first + 1),
                        .taps = {.blocks = (int)blocks, .x_step = x_step, .w_step = blocks * 27 * 16}};
    part.turned = quintet_thread_scratch(2 * part.plane_step + 16);
    turn_plane(&part, first);
    for (int d = first; d < last; d++) {
        turn_plane(&part, d + 1);
        turned_fine_plane(&part, 2 * d);
        turned_fine_plane(&part, 2 * d + 1);
    }
    for (int c = 0; job->norm.sums && c < job->convolution->fine.channels; c++)
        store_sums(&job->norm, c, index, &own[c]);
}

// Weight gradient with a planar fine side: six taps x 16 coarse channels in registers along a row.
INLINE void planar_gradient_strip(const int taps, const int step, const float *x, const int32_t *x_offset,
                                  const float *dy, float *sums, int width) {
    v16 a[6];
#pragma clang loop unroll(full)
    for (int t = 0; t < taps; t++) a[t] = LOAD(sums + t * 16);
    for (int i = 0; i < width; i++) {
        v16 b = LOAD(dy + i * 16);
#pragma clang loop unroll(full)
        for (int t = 0; t < taps; t++) a[t] = FMA(SPLAT(x[x_offset[t] + i * step]), b, a[t]);
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < taps; t++) STORE(sums + t * 16, a[t]);
}
#define DEFINE_PLANAR_GRADIENT(NAME, STEP) \
    SEPARATE void NAME(const float *x, const int32_t *offset, int taps, const float *dy, float *sums, int width) { \
        int t = 0; \
        for (; t + 6 <= taps; t += 6) planar_gradient_strip(6, STEP, x, offset + t, dy, sums + t * 16, width); \
        for (; t + 3 <= taps; t += 3) planar_gradient_strip(3, STEP, x, offset + t, dy, sums + t * 16, width); \
        for (; t < taps; t++) planar_gradient_strip(1, STEP, x, offset + t, dy, sums + t * 16, width); \
    }
DEFINE_PLANAR_GRADIENT(planar_gradient_1, 1)
DEFINE_PLANAR_GRADIENT(planar_gradient_2, 2)

// scratch: [block][slot][channels * taps][16].
static void planar_gradient_task(void *context, int index) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const quintet_size3 s = job->convolution->stride;
    int32_t offset[PLANAR_CHANNELS_MAX * 27];
    int taps = planar_offsets(fine, job->convolution->kernel, offset);
    int slot = index % job->slots, block = index / job->slots;
    float *sums = job->scratch + (long)index * taps * 16;
    memset(sums, 0, sizeof(float) * taps * 16);
    long rows = (long)coarse.depth * coarse.height;
    for (long r = rows * slot / job->slots; r < rows * (slot + 1) / job->slots; r++) {
        int d = (int)(r / coarse.height), h = (int)(r % coarse.height);
        const float *dy = job->dy + quintet_row(coarse, block, d, h);
        const float *x = job->x + quintet_row(fine, 0, d * s.depth, h * s.height);
        if (s.width == 1) planar_gradient_1(x, offset, taps, dy, sums, coarse.width);
        else planar_gradient_2(x, offset, taps, dy, sums, coarse.width);
    }
}

static void planar_gradient_sum_task(void *context, int block) {
    const gradient_job *job = context;
    quintet_layout coarse = job->convolution->coarse;
    const int taps = job->convolution->fine.channels * quintet_taps(job->convolution);
    float *sums = job->scratch + (long)block * job->slots * taps * 16;
    for (int slot = 1; slot < job->slots; slot++)
        for (int i = 0; i < taps * 16; i++) sums[i] += sums[(long)slot * taps * 16 + i];
    for (int o = 0; o < coarse.channels; o++) {
        int place = quintet_padded(coarse, o);
        if (place / 16 != block) continue;
        for (int t = 0; t < taps; t++) job->gradient[(long)o * taps + t] += sums[t * 16 + place % 16];
    }
}

// The same of a planar coarse side, whose roles are exchanged: x is the planar side and dy the blocked one of the
// convolution turned round, and so are the taps.
static void turned_gradient_sum_task(void *context, int block) {
    const gradient_job *job = context;
    quintet_layout planar = job->convolution->fine, blocked = job->convolution->coarse;
    const int own = quintet_taps(job->convolution), taps = planar.channels * own;
    float *sums = job->scratch + (long)block * job->slots * taps * 16;
    for (int slot = 1; slot < job->slots; slot++)
        for (int i = 0; i < taps * 16; i++) sums[i] += sums[(long)slot * taps * 16 + i];
    for (int i = 0; i < blocked.channels; i++) {
        int place = quintet_padded(blocked, i);
        if (place / 16 != block) continue;
        for (int c = 0; c < planar.channels; c++)
            for (int t = 0; t < own; t++)
                job->gradient[((long)c * blocked.channels + i) * own + own - 1 - t]
                    += sums[(c * own + t) * 16 + place % 16];
    }
}

// Planar -> planar, 3x3x3 at stride 1: `vectors` times 16 voxels of a row in registers, all out channels beside each
// other; from voxel q on. w: [out][in][27], already turned round for the gradient.
INLINE void planar_planar_strip(const int outs, const int vectors, int q, int width, int taps, const float *x,
                                const int32_t *offset, const float *w, float *const *y, const float *start) {
    v16 sum[PLANAR_CHANNELS_MAX][4];
#pragma clang loop unroll(full)
    for (int o = 0; o < outs; o++)
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) sum[o][i] = start ? SPLAT(start[o]) : LOAD_ANY(y[o] + q + i * 16);
    for (int t = 0; t < taps; t++) {
        const float *from = x + offset[t] + q;
        v16 v[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) v[i] = LOAD_ANY(from + i * 16);
#pragma clang loop unroll(full)
        for (int o = 0; o < outs; o++)
#pragma clang loop unroll(full)
            for (int i = 0; i < vectors; i++) sum[o][i] = FMA(v[i], SPLAT(w[o * taps + t]), sum[o][i]);
    }
#pragma clang loop unroll(full)
    for (int o = 0; o < outs; o++)
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) {
            int count = width - q - i * 16;
            if (count >= 16) STORE_ANY(y[o] + q + i * 16, sum[o][i]);
            else for (int l = 0; l < count; l++) y[o][q + i * 16 + l] = sum[o][i][l];
        }
}
// Enough sums at a time that an addition never waits for the last one.
INLINE void planar_planar_row(const int outs, int width, int taps, const float *x, const int32_t *offset,
                              const float *w, float *const *y, const float *start) {
    const int vectors = ROWS_MAX > 6 ? 4 : outs > 1 ? 2 : 4;
    int q = 0;
    for (; q + 16 * vectors <= width; q += 16 * vectors)
        planar_planar_strip(outs, vectors, q, width, taps, x, offset, w, y, start);
    for (; q < width; q += 16) planar_planar_strip(outs, 1, q, width, taps, x, offset, w, y, start);
}

static void planar_planar_task(void *context, int index) {
    const planar_job *job = context;
    // Gradient and forward differ in their packing only: `fine` and `coarse` have one size at stride 1.
    quintet_layout in = job->convolution->fine, out = job->convolution->coarse;
    planar_rows rows = planar_rows_of(out, job->group, index);
    int32_t offset[PLANAR_CHANNELS_MAX * 27];
    int taps = planar_offsets(in, job->convolution->kernel, offset);
    float bias[PLANAR_CHANNELS_MAX] = {0}, *y[PLANAR_CHANNELS_MAX];
    for (int o = 0; o < out.channels && job->bias; o++) bias[o] = job->bias[o];
    const float *start = job->accumulate ? NULL : bias;
    for (int h = rows.first; h < rows.last; h++) {
        for (int o = 0; o < out.channels; o++) y[o] = job->out + quintet_row(out, o, rows.d, h);
        const float *x = job->in + quintet_row(in, 0, rows.d, h);
        switch (out.channels) {
        case 1: planar_planar_row(1, out.width, taps, x, offset, job->w, y, start); break;
        case 2: planar_planar_row(2, out.width, taps, x, offset, job->w, y, start); break;
        case 3: planar_planar_row(3, out.width, taps, x, offset, job->w, y, start); break;
        case 4: planar_planar_row(4, out.width, taps, x, offset, job->w, y, start); break;
        }
    }
}

// Three taps of `outs` (1 or 2) coarse channels along a row; sums [outs][taps of all][16], `step` floats apart.
INLINE void planar_planar_gradient_strip(const int outs, const float *x, const float *const *dy, int width, float *sums,
                                long step) {
    v16 a[2][3];
#pragma clang loop unroll(full)
    for (int o = 0; o < outs; o++)
#pragma clang loop unroll(full)
        for (int t = 0; t < 3; t++) a[o][t] = LOAD(sums + o * step + t * 16);
    for (int q = 0; q < width; q += 16) {
        // Past the row's end x holds other voxels; they meet zeros.
        v16 g[2];
#pragma clang loop unroll(full)
        for (int o = 0; o < outs; o++) g[o] = load_some(dy[o] + q, width - q);
#pragma clang loop unroll(full)
        for (int t = 0; t < 3; t++) {
            v16 v = LOAD_ANY(x + q + t);
#pragma clang loop unroll(full)
            for (int o = 0; o < outs; o++) a[o][t] = FMA(g[o], v, a[o][t]);
        }
    }
#pragma clang loop unroll(full)
    for (int o = 0; o < outs; o++)
#pragma clang loop unroll(full)
        for (int t = 0; t < 3; t++) STORE(sums + o * step + t * 16, a[o][t]);
}

// Weight gradient of planar -> planar: lanes hold voxels until the end. scratch [slot][out][in * 27][16].
static void planar_planar_gradient_task(void *context, int slot) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    int32_t offset[PLANAR_CHANNELS_MAX * 27];
    int taps = planar_offsets(fine, job->convolution->kernel, offset);
    float *sums = job->scratch + (long)slot * coarse.channels * taps * 16;
    memset(sums, 0, sizeof(float) * coarse.channels * taps * 16);
    long rows = (long)coarse.depth * coarse.height, step = (long)taps * 16;
    for (long r = rows * slot / job->slots; r < rows * (slot + 1) / job->slots; r++) {
        int d = (int)(r / coarse.height), h = (int)(r % coarse.height), o = 0;
        const float *x = job->x + quintet_row(fine, 0, d, h), *dy[PLANAR_CHANNELS_MAX];
        for (int c = 0; c < coarse.channels; c++) dy[c] = job->dy + quintet_row(coarse, c, d, h);
        for (; o + 2 <= coarse.channels; o += 2)
            for (int t = 0; t < taps; t += 3)
                planar_planar_gradient_strip(2, x + offset[t], dy + o, coarse.width, sums + o * step + t * 16, step);
        if (o < coarse.channels)
            for (int t = 0; t < taps; t += 3)
                planar_planar_gradient_strip(1, x + offset[t], dy + o, coarse.width, sums + o * step + t * 16, step);
    }
}

static void planar_planar_gradient_sum(const gradient_job *job) {
    long count = (long)job->convolution->coarse.channels * job->convolution->fine.channels * 27;
    for (long i = 0; i < count; i++) {
        v16 sum = LOAD(job->scratch + i * 16);
        for (int slot = 1; slot < job->slots; slot++) sum += LOAD(job->scratch + (slot * count + i) * 16);
        job->gradient[i] += sum_lanes(sum);
    }
}
#endif
