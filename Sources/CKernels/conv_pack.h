// Weights as the kernels of blocked tensors want them: 16 output channels ("in" and "out" by direction) in a vector, as
// taps or as Winograd's points. Included once per instruction set, after conv_winograd.h.

typedef struct {
    const quintet_convolution *convolution;
    int direction, winograd;
    const float *weights;
    float *packed;
} pack_job;

// The taps of 16 pairs of channels, one after another in each row, to a vector for every tap.
INLINE void turn_taps(const float *const *rows, int taps, v16 *g) {
    v16 low[16], high[16];
    if (taps == 1) {
        for (int l = 0; l < 16; l++) g[0][l] = rows[l][0];
        return;
    }
    for (int l = 0; l < 16; l++) low[l] = LOAD_ANY(rows[l]), high[l] = LOAD_ANY(rows[l] + 11);
    transpose_16(low);
    transpose_16(high);
    for (int t = 0; t < 16; t++) g[t] = low[t], g[11 + t] = high[t];
}

// One pair of blocks: [out][in][taps][16 in][16 out], or [POINTS][out][in][16 in][16 out] with a padded step.
static void pack_task(void *context, int pair) {
    const pack_job *job = context;
    const int forward = job->direction == QUINTET_FORWARD, k = job->convolution->kernel, taps = k * k * k;
    quintet_layout in = forward ? job->convolution->fine : job->convolution->coarse;
    quintet_layout out = forward ? job->convolution->coarse : job->convolution->fine;
    const int ins = quintet_blocks(in), outs = quintet_blocks(out);
    static const float padding[27];
    for (int c = 0; c < 16; c++) {
        const float *rows[16];
        int channel = quintet_channel(in, pair % ins * 16 + c);
        for (int l = 0; l < 16; l++) {
            int other = quintet_channel(out, pair / ins * 16 + l);
            long place = forward ? (long)other * in.channels + channel : (long)channel * out.channels + other;
            rows[l] = channel < 0 || other < 0 ? padding : job->weights + place * taps;
        }
        v16 g[27], turned[27];
        turn_taps(rows, taps, g);
        if (!job->winograd) {
            for (int t = 0; t < taps; t++) STORE(job->packed + ((long)pair * taps + t) * 256 + c * 16, g[t]);
            continue;
        }
        for (int t = 0; t < 27; t++) turned[t] = g[forward ? t : 26 - t];
        float *to = job->packed + (long)pair * 256 + c * 16;
        if (job->convolution->stride == 1) transform_taps_1(turned, to, quintet_winograd_step(ins, outs));
        else transform_taps_2(turned, to, quintet_winograd_step(ins, outs));
    }
}

static void fast_pack_weights(quintet_pool *pool, const quintet_convolution *convolution, int direction,
                              const float *weights, float *packed) {
    int winograd = quintet_uses_winograd(convolution) && !quintet_winograd_has_few_tiles(convolution);
    pack_job job = {convolution, direction, winograd, weights, packed};
    quintet_pool_run(pool, quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse), pack_task, &job);
}
