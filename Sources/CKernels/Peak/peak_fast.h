// The fastest a processor multiplies, adds and moves. Included once per instruction set.
#ifndef QUINTET_PEAK_FAST_H
#define QUINTET_PEAK_FAST_H

enum { ROUND = 256 };

// CHAINS accumulators: enough to hide the latency of a fused multiply-add, few enough to stay in registers. Values
// approach 1 and stay there, so that none is ever denormal.
static double peak_compute(int64_t rounds) {
    float start[CHAINS] __attribute__((aligned(64)));
    volatile float half = 0.5f;
    for (int c = 0; c < CHAINS; c++) start[c] = half + (float)c;
    v16 factor = SPLAT(half), sums[CHAINS], total = SPLAT(0);
#pragma clang loop unroll(full)
    for (int c = 0; c < CHAINS; c++) sums[c] = SPLAT(start[c]);
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < ROUND; i++) {
#pragma clang loop unroll(full)
            for (int c = 0; c < CHAINS; c++) sums[c] = FMA(sums[c], factor, factor);
        }
#pragma clang loop unroll(full)
    for (int c = 0; c < CHAINS; c++) total += sums[c];
    volatile float kept = total[0];
    (void)kept;
    return 2.0 * 16 * CHAINS * ROUND * (double)rounds;
}

static void peak_copy(const float *from, float *to, long count) {
    for (long i = 0; i < count; i += 16) STORE(to + i, LOAD(from + i));
}

static void peak_triad(const float *first, const float *second, float *to, long count) {
    for (long i = 0; i < count; i += 16) STORE(to + i, LOAD(first + i) + SPLAT(3) * LOAD(second + i));
}
#endif
