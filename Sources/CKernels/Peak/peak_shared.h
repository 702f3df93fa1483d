// One instruction set's three loops. Internal to `quintet bench`'s yardsticks.
#ifndef QUINTET_PEAK_SHARED_H
#define QUINTET_PEAK_SHARED_H
#include <stdint.h>

typedef struct {
    double (*compute)(int64_t rounds);
    void (*copy)(const float *from, float *to, long count);
    void (*triad)(const float *first, const float *second, float *to, long count);
} quintet_peak_loops;

extern const quintet_peak_loops quintet_peak_portable;
#if defined(__x86_64__)
extern const quintet_peak_loops quintet_peak_avx2, quintet_peak_avx512;
#endif
#endif
