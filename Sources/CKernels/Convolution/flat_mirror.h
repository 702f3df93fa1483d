// The gradient that reached a mirrored halo, back where the halo was mirrored from: flat tensors, 3x3 at stride 1.
// Included once per instruction set, after conv_taps.h.
#ifndef QUINTET_FLAT_MIRROR_H
#define QUINTET_FLAT_MIRROR_H

typedef struct {
    const quintet_convolution *convolution;
    const float *dy, *weights;
    float *packed, *dx;
} mirror_job;

// Sixteen fine channels together: blocks, or planar channels from 16 `group` on. -1: there is none.
INLINE int channel_of_group(quintet_layout fine, int group, int lane) {
    if (!fine.planar) return quintet_channel(fine, group * 16 + lane);
    return group * 16 + lane < fine.channels ? group * 16 + lane : -1;
}
INLINE int mirror_groups(quintet_layout fine) { return fine.planar ? (fine.channels + 15) / 16 : quintet_blocks(fine); }
// The coarse side's channels as they lie in memory, padding included.
INLINE int coarse_places(quintet_layout coarse) { return row_blocks(coarse) * (coarse.planar ? 1 : 16); }

// Weights of one group: [tap][coarse place][16 fine].
static void mirror_pack_task(void *context, int group) {
    const mirror_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int places = coarse_places(coarse);
    static const float padding[9];
    float *to = job->packed + (long)group * 9 * places * 16;
    memset(to, 0, sizeof(float) * 9 * places * 16);
    for (int o = 0; o < coarse.channels; o++) {
        const int place = coarse.planar ? o : quintet_padded(coarse, o);
        const float *rows[16];
        v16 taps[9];
        for (int l = 0; l < 16; l++) {
            int i = channel_of_group(fine, group, l);
            rows[l] = i < 0 ? padding : job->weights + ((long)o * fine.channels + i) * 9;
        }
        turn_taps(rows, 9, taps);
        for (int t = 0; t < 9; t++) STORE(to + ((long)t * places + place) * 16, taps[t]);
    }
}

// What reached halo voxel (h, w): one tap's products after another's. channels: of a coarse block, 16, or 1 if planar.
INLINE v16 reached(const int channels, const mirror_job *job, const float *packed, int d, int h, int w) {
    quintet_layout coarse = job->convolution->coarse;
    const int blocks = row_blocks(coarse);
    v16 sum = SPLAT(0);
    for (int t = 0; t < 9; t++) {
        int ch = h + 1 - t / 3, cw = w + 1 - t % 3;
        if (ch < 0 || ch >= coarse.height || cw < 0 || cw >= coarse.width) continue;
        const float *weights = packed + (long)t * blocks * channels * 16;
        v16 own[4] = {SPLAT(0), SPLAT(0), SPLAT(0), SPLAT(0)};
        for (int b = 0; b < blocks; b++, weights += channels * 16) {
            const float *dy = job->dy + quintet_row(coarse, b, d, ch) + (long)cw * channels;
#pragma clang loop unroll(full)
            for (int c = 0; c < channels; c++)
                own[c % 4] = FMA(SPLAT(dy[c]), LOAD(weights + c * 16), own[c % 4]);
        }
        sum += (own[0] + own[1]) + (own[2] + own[3]);
    }
    return sum;
}
SEPARATE void reached_from_blocks(const mirror_job *job, const float *packed, int d, int h, int w, float *sum) {
    STORE(sum, reached(16, job, packed, d, h, w));
}
SEPARATE void reached_from_planar(const mirror_job *job, const float *packed, int d, int h, int w, float *sum) {
    STORE(sum, reached(1, job, packed, d, h, w));
}

// One group of one plane, voxel by voxel of the halo.
static void mirror_fold_task(void *context, int index) {
    const mirror_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    int group = index / fine.depth, d = index % fine.depth;
    const float *packed = job->packed + (long)group * 9 * coarse_places(coarse) * 16;
    for (int h = -1; h <= fine.height; h++) {
        int step = h < 0 || h == fine.height ? 1 : fine.width + 1;
        for (int w = -1; w <= fine.width; w += step) {
            float sum[16] __attribute__((aligned(64)));
            if (coarse.planar) reached_from_planar(job, packed, d, h, w, sum);
            else reached_from_blocks(job, packed, d, h, w, sum);
            int to_h = quintet_mirrored(h, fine.height), to_w = quintet_mirrored(w, fine.width);
            if (!fine.planar) {
                float *to = job->dx + quintet_row(fine, group, d, to_h) + to_w * 16L;
                STORE(to, LOAD(to) + LOAD(sum));
                continue;
            }
            for (int l = 0; l < 16 && group * 16 + l < fine.channels; l++)
                job->dx[quintet_element(fine, group * 16 + l, d, to_h, to_w)] += sum[l];
        }
    }
}

static void fast_mirror_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *y_gradient,
                                 const float *weights, float *x_gradient) {
    const int groups = mirror_groups(convolution->fine);
    float *packed = quintet_call_scratch(groups * 9L * coarse_places(convolution->coarse) * 16);
    mirror_job job = {convolution, y_gradient, weights, packed, x_gradient};
    quintet_pool_run(pool, groups, mirror_pack_task, &job);
    quintet_pool_run(pool, groups * convolution->fine.depth, mirror_fold_task, &job);
}
#endif
