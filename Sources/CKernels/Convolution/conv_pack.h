// Weights as the kernels of blocked tensors want them, as taps or as Winograd's points. Included once per instruction
// set, after conv_winograd.h and flat_winograd.h.
#ifndef QUINTET_CONV_PACK_H
#define QUINTET_CONV_PACK_H

typedef struct {
    weight_source from;
    int winograd, flat;
    float *packed;
} pack_job;

// One pair of blocks: [out][in][taps][16 in][16 out], or [points][out][in][16 in][16 out] with a padded step.
static void pack_task(void *context, int pair) {
    const pack_job *job = context;
    const quintet_convolution *convolution = job->from.convolution;
    const int taps = quintet_taps(convolution);
    if (job->winograd || job->flat) {
        long step = quintet_winograd_step(quintet_blocks(convolution->fine), quintet_blocks(convolution->coarse));
        if (job->flat) flat_transform_pair(&job->from, pair, job->packed + (long)pair * 256, step);
        else transform_pair(&job->from, pair, job->packed + (long)pair * 256, step);
        return;
    }
    for (int c = 0; c < 16; c++) {
        v16 g[27];
        taps_of_channel(&job->from, pair, c, g);
        for (int t = 0; t < taps; t++) STORE(job->packed + ((long)pair * taps + t) * 256 + c * 16, g[t]);
    }
}

static void fast_pack_weights(quintet_pool *pool, const quintet_convolution *convolution, int direction,
                              const float *weights, float *packed) {
    pack_job job = {{convolution, direction, weights}, quintet_uses_winograd(convolution),
                    quintet_uses_flat_winograd(convolution), packed};
    quintet_pool_run(pool, quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse), pack_task, &job);
}
#endif
