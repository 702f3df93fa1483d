// Direct convolution of blocked tensors: a strip of voxels times 16 output channels is held in registers while taps and
// input channels stream by. Included once per instruction set; ROWS_MAX is the strip that fits its registers. How a
// row is cut into strips changes no bit, for each voxel has its own sum. The taps of one plane and one block of input
// channels have a sum of their own that is added to what there is: sums of few terms round less.
#ifndef QUINTET_CONV_DIRECT_H
#define QUINTET_CONV_DIRECT_H

INLINE void strip(const int rows, const int in_step, const int out_step, const float *x, const int32_t *x_offset,
                  const float *w, const int32_t *w_offset, int taps, float *y, const float *start) {
    v16 sum[ROWS_MAX];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) sum[r] = SPLAT(0);
    for (int t = 0; t < taps; t++) {
        const float *xp = x + x_offset[t], *wp = w + w_offset[t];
#pragma clang loop unroll_count(UNROLL)
        for (int c = 0; c < 16; c++) {
            v16 b = LOAD(wp + c * 16);
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) sum[r] = FMA(SPLAT(xp[r * in_step * 16 + c]), b, sum[r]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        float *to = y + r * out_step * 16;
        STORE(to, sum[r] + (start ? LOAD(start) : LOAD(to)));
    }
}

// A row of `width` voxels, cut into equal strips. start: what the sums are added to, NULL for what stands in y.
#define STRIP_CASE(R, IN, OUT) \
    case R: strip(R, IN, OUT, x, x_offset, w, w_offset, taps, y, start); break;
#if ROWS_MAX > 6
#define STRIP_CASES(IN, OUT) STRIP_CASES_6(IN, OUT) STRIP_CASE(7, IN, OUT) STRIP_CASE(8, IN, OUT) \
    STRIP_CASE(9, IN, OUT) STRIP_CASE(10, IN, OUT) STRIP_CASE(11, IN, OUT) STRIP_CASE(12, IN, OUT)
#else
#define STRIP_CASES(IN, OUT) STRIP_CASES_6(IN, OUT)
#endif
#define STRIP_CASES_6(IN, OUT) STRIP_CASE(1, IN, OUT) STRIP_CASE(2, IN, OUT) STRIP_CASE(3, IN, OUT) \
    STRIP_CASE(4, IN, OUT) STRIP_CASE(5, IN, OUT) STRIP_CASE(6, IN, OUT)
#define DEFINE_STRIPS(NAME, IN, OUT) \
    SEPARATE void NAME(int width, const float *x, const int32_t *x_offset, const float *w, const int32_t *w_offset, \
                       int taps, float *y, const float *start) { \
        int strips = (width + ROWS_MAX - 1) / ROWS_MAX; \
        for (int s = 0, done = 0; s < strips; s++) { \
            int rows = (width - done) / (strips - s); \
            switch (rows) { STRIP_CASES(IN, OUT) } \
            done += rows; \
            x += rows * IN * 16; \
            y += rows * OUT * 16; \
        } \
    }
DEFINE_STRIPS(strips_1_1, 1, 1)
DEFINE_STRIPS(strips_2_1, 2, 1)
DEFINE_STRIPS(strips_1_2, 1, 2)

typedef struct {
    const float *in, *w, *bias;
    float *out;
    quintet_layout in_layout, out_layout;
    int in_blocks;
    quintet_size3 kernel, stride;
    int flipped, accumulate;
    // Rows of one task: enough voxels that a tap's weights are used from the first-level cache many times.
    int group;
    norm_sums norm;
} direct_job;

INLINE int rows_per_task(int width, int height) {
    int rows = (127 + width) / width;
    return rows < height ? rows : height;
}

INLINE void load_bias(float *start, const float *bias, int block, quintet_layout layout) {
    for (int c = 0; c < 16; c++) {
        int channel = quintet_channel(layout, block * 16 + c);
        start[c] = bias && channel >= 0 ? bias[channel] : 0;
    }
}

// out = conv(in), stride 1 or 2, or with flipped taps the gradient of a stride-1 convolution.
static void direct_task(void *context, int index) {
    const direct_job *job = context;
    quintet_steps in_steps = quintet_steps_of(job->in_layout);
    const int height = job->out_layout.height, width = job->out_layout.width, s = job->stride.height;
    const quintet_size3 k = job->kernel;
    int groups = (height + job->group - 1) / job->group, depth = job->out_layout.depth;
    int first = index % groups * job->group, d = index / groups % depth, block = index / groups / depth;
    int last = first + job->group < height ? first + job->group : height;
    float start[16] __attribute__((aligned(64)));
    load_bias(start, job->bias, block, job->out_layout);
    int32_t x_offset[9], w_offset[9];
    const int taps = k.height * k.width;
    for (int t = 0; t < taps; t++) {
        int kh = t / k.width, kw = t % k.width;
        if (job->flipped) kh = k.height - 1 - kh, kw = k.width - 1 - kw;
        x_offset[t] = (int32_t)((kh - quintet_reach(k.height)) * in_steps.row + (kw - quintet_reach(k.width)) * 16);
        w_offset[t] = t * 256;
    }
    for (int b = 0; b < job->in_blocks; b++)
        for (int kd = 0; kd < k.depth; kd++) {
            int plane = d * job->stride.depth + (job->flipped ? k.depth - 1 - kd : kd) - quintet_reach(k.depth);
            const float *x = job->in + quintet_row(job->in_layout, b, plane, 0);
            const float *w = job->w + ((long)(block * job->in_blocks + b) * k.depth + kd) * taps * 256;
            const float *from = b == 0 && kd == 0 && !job->accumulate ? start : NULL;
            for (int h = first; h < last; h++) {
                float *y = job->out + quintet_row(job->out_layout, block, d, h);
                const float *row = x + (long)h * s * in_steps.row;
                if (s == 1) strips_1_1(width, row, x_offset, w, w_offset, taps, y, from);
                else strips_2_1(width, row, x_offset, w, w_offset, taps, y, from);
            }
        }
}

// The taps of one axis that meet fine coordinate f in a stride-2 convolution: even f only tap 1, odd f taps 0 and 2.
INLINE int taps_meeting(int f, int tap[2], int coarse[2]) {
    if (f % 2 == 0) {
        tap[0] = 1, coarse[0] = f / 2;
        return 1;
    }
    tap[0] = 0, coarse[0] = f / 2 + 1;
    tap[1] = 2, coarse[1] = f / 2;
    return 2;
}

// Gradient of a stride-2 convolution (a transposed convolution's forward): fine rows of one parity of h, in both
// parities of w; each is a dense convolution of the coarse tensor with 1, 2, 4 or 8 taps.
static void direct_transposed_task(void *context, int index) {
    const direct_job *job = context;
    quintet_steps in_steps = quintet_steps_of(job->in_layout);
    const int height = job->in_layout.height, width = job->in_layout.width;
    int groups = (height + job->group - 1) / job->group, depth = job->out_layout.depth;
    int first = index % groups * job->group, parity = index / groups % 2;
    int d = index / groups / 2 % depth, block = index / groups / 2 / depth;
    int last = first + job->group < height ? first + job->group : height;
    float start[16] __attribute__((aligned(64)));
    load_bias(start, job->bias, block, job->out_layout);
    int kd[2], cd[2], kh[2], ch[2], nd = taps_meeting(d, kd, cd), nh = taps_meeting(parity, kh, ch);
    for (int b = 0; b < job->in_blocks; b++)
        for (int i = 0; i < nd; i++)
            for (int odd = 0; odd < 2; odd++) {
                int kw[2], cw[2], nw = taps_meeting(odd, kw, cw), taps = 0;
                int32_t x_offset[4], w_offset[4];
                for (int j = 0; j < nh; j++)
                    for (int l = 0; l < nw; l++, taps++) {
                        x_offset[taps] = (int32_t)(ch[j] * in_steps.row + cw[l] * 16);
                        w_offset[taps] = (kh[j] * 3 + kw[l]) * 256;
                    }
                const float *w = job->w + ((long)(block * job->in_blocks + b) * 3 + kd[i]) * 9 * 256;
                const float *from = b == 0 && i == 0 && !job->accumulate ? start : NULL;
                for (int h = first; h < last; h++) {
                    const float *x = job->in + quintet_row(job->in_layout, b, cd[i], h);
                    float *y = job->out + quintet_row(job->out_layout, block, d, 2 * h + parity) + odd * 16;
                    strips_1_2(width, x, x_offset, w, w_offset, taps, y, from);
                }
            }
}

// Weight gradient: `channels` input channels x `taps` neighbouring taps x 16 output channels in registers, summed
// along a row. x: the first tap's voxel; sums [taps, 16, 16].
INLINE void gradient_row(const int taps, const int channels, const int step, const float *x, const float *dy,
                         float *sums, int width) {
    for (int c = 0; c < 16; c += channels) {
        v16 a[3][8];
#pragma clang loop unroll(full)
        for (int k = 0; k < taps; k++)
#pragma clang loop unroll(full)
            for (int j = 0; j < channels; j++) a[k][j] = SPLAT(0);
        const float *xp = x + c, *yp = dy;
        for (int i = 0; i < width; i++, xp += 16 * step, yp += 16) {
            v16 b = LOAD(yp);
#pragma clang loop unroll(full)
            for (int k = 0; k < taps; k++)
#pragma clang loop unroll(full)
                for (int j = 0; j < channels; j++) a[k][j] = FMA(SPLAT(xp[k * 16 + j]), b, a[k][j]);
        }
#pragma clang loop unroll(full)
        for (int k = 0; k < taps; k++)
#pragma clang loop unroll(full)
            for (int j = 0; j < channels; j++) {
                float *to = sums + k * 256 + (c + j) * 16;
                STORE(to, LOAD(to) + a[k][j]);
            }
    }
}
SEPARATE void gradient_row_1(const float *x, const float *dy, float *sums, int width) {
    gradient_row(3, GRADIENT_CHANNELS, 1, x, dy, sums, width);
}
SEPARATE void gradient_row_2(const float *x, const float *dy, float *sums, int width) {
    gradient_row(3, GRADIENT_CHANNELS, 2, x, dy, sums, width);
}
SEPARATE void gradient_row_point(int step, const float *x, const float *dy, float *sums, int width) {
    gradient_row(1, 2 * GRADIENT_CHANNELS, step, x, dy, sums, width);
}

typedef struct {
    const quintet_convolution *convolution;
    const float *x, *dy;
    float *scratch, *gradient;
    int slots;
} gradient_job;

// One pair of blocks, one slot of rows: scratch [pair][slot][taps][16 fine][16 coarse].
static void direct_gradient_task(void *context, int index) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const quintet_size3 k = job->convolution->kernel;
    const int s = job->convolution->stride.height, taps = quintet_taps(job->convolution);
    int slot = index % job->slots, pair = index / job->slots, fine_blocks = quintet_blocks(fine);
    int fine_block = pair % fine_blocks, coarse_block = pair / fine_blocks;
    float *sums = job->scratch + (long)index * taps * 256;
    memset(sums, 0, sizeof(float) * taps * 256);
    long rows = (long)coarse.depth * coarse.height;
    for (long r = rows * slot / job->slots; r < rows * (slot + 1) / job->slots; r++) {
        int d = (int)(r / coarse.height), h = (int)(r % coarse.height);
        const float *dy = job->dy + quintet_row(coarse, coarse_block, d, h);
        for (int t = 0; t < k.depth * k.height; t++) {
            int fine_d = d * job->convolution->stride.depth + t / k.height - quintet_reach(k.depth);
            int fine_h = h * s + t % k.height - quintet_reach(k.height);
            const float *x = job->x + quintet_row(fine, fine_block, fine_d, fine_h) - quintet_reach(k.width) * 16;
            float *own = sums + t * k.width * 256;
            if (k.width == 1) gradient_row_point(s, x, dy, own, coarse.width);
            else if (s == 1) gradient_row_1(x, dy, own, coarse.width);
            else gradient_row_2(x, dy, own, coarse.width);
        }
    }
}

// Adds the slots in their order into PyTorch's layout.
static void direct_gradient_sum_task(void *context, int pair) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int taps = quintet_taps(job->convolution), fine_blocks = quintet_blocks(fine);
    float *sums = job->scratch + (long)pair * job->slots * taps * 256;
    for (int slot = 1; slot < job->slots; slot++)
        for (int i = 0; i < taps * 256; i++) sums[i] += sums[(long)slot * taps * 256 + i];
    for (int o = 0; o < coarse.channels; o++) {
        int out_place = quintet_padded(coarse, o);
        if (out_place / 16 != pair / fine_blocks) continue;
        for (int i = 0; i < fine.channels; i++) {
            int in_place = quintet_padded(fine, i);
            if (in_place / 16 != pair % fine_blocks) continue;
            float *gradient = job->gradient + ((long)o * fine.channels + i) * taps;
            for (int t = 0; t < taps; t++) gradient[t] += sums[t * 256 + in_place % 16 * 16 + out_place % 16];
        }
    }
}
#endif
