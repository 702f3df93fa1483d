#include "quintet_lesions.h"
#include <string.h>

typedef float v8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef uint8_t b8 __attribute__((vector_size(8)));
typedef double d8 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

// Eight voxels from x on; `lanes` of them exist. A short end reads what exists and computes the same way.
INLINE void load(v8 *to, const float *from, size_t lanes) {
    *to = (v8){0};
    memcpy(to, from, 4 * lanes);
}

INLINE void displaced(v8 *p, const float *field, ptrdiff_t plane, const float *weights, int taps, size_t x,
                      size_t lanes) {
    for (int k = 0; k < taps; k++) {
        v8 f;
        load(&f, field + k * plane + x, lanes);
        *p = __builtin_elementwise_fma(weights[k] - (v8){0}, f, *p);
    }
}

typedef struct {
    const float *fields[3], *weights, *matrix;
    ptrdiff_t plane;
    int taps;
    float z, y, first, step;
} deformed_ellipsoid;

INLINE void ellipsoid_eight(const deformed_ellipsoid *e, size_t x, size_t lanes, const uint8_t *lung, uint8_t *out) {
    const v8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    v8 p[3] = {e->z - (v8){0}, e->y - (v8){0}, ((e->first + (float)x) + lane) * e->step};
    for (int c = 0; c < 3; c++) displaced(&p[c], e->fields[c], e->plane, e->weights + c * e->taps, e->taps, x, lanes);
    v8 norm = {0};
    for (int r = 0; r < 3; r++) {
        v8 d = e->matrix[3 * r] * p[0];
        d = __builtin_elementwise_fma(e->matrix[3 * r + 1] - (v8){0}, p[1], d);
        d = __builtin_elementwise_fma(e->matrix[3 * r + 2] - (v8){0}, p[2], d);
        norm = __builtin_elementwise_fma(d, d, norm);
    }
    b8 inside = __builtin_convertvector((i8)(norm < 1.0f) & 1, b8), set = {0}, old = {0};
    memcpy(&set, lung + x, lanes);
    memcpy(&old, out + x, lanes);
    old |= inside & ((b8)(set != 0) & 1);
    memcpy(out + x, &old, lanes);
}

INLINE void ellipsoid_row(const float *along_z, const float *along_y, const float *along_x, ptrdiff_t plane,
                          const float *weights, int taps, const float *matrix, float z, float y, float first,
                          float step, const uint8_t *lung, uint8_t *out, size_t count) {
    const deformed_ellipsoid e = {{along_z, along_y, along_x}, weights, matrix, plane, taps, z, y, first, step};
    size_t x = 0;
    for (; x + 8 <= count; x += 8) ellipsoid_eight(&e, x, 8, lung, out);
    if (x < count) ellipsoid_eight(&e, x, count - x, lung, out);
}

INLINE void range(const float *values, size_t count, float *low, float *high) {
    float l = *low, h = *high;
    v8 least = l - (v8){0}, most = h - (v8){0};
    size_t x = 0;
    for (; x + 8 <= count; x += 8) {
        v8 v;
        memcpy(&v, values + x, 32);
        i8 below = v < least, above = v > most;
        least = (v8)(((i8)v & below) | ((i8)least & ~below));
        most = (v8)(((i8)v & above) | ((i8)most & ~above));
    }
    for (int i = 0; i < 8; i++) {
        l = least[i] < l ? least[i] : l;
        h = most[i] > h ? most[i] : h;
    }
    for (; x < count; x++) {
        l = values[x] < l ? values[x] : l;
        h = values[x] > h ? values[x] : h;
    }
    *low = l;
    *high = h;
}

INLINE void salt(const float *share, float least, float scale, float offset, float *values, size_t count) {
    for (size_t x = 0; x < count; x++)
        values[x] = values[x] < scale * (share[x] - least) + offset ? 1.0f : 0.0f;
}

INLINE void sum_above(const float *values, size_t count, float threshold, double *sum, int64_t *number) {
    d8 total = {0};
    i8 found = {0};
    for (size_t x = 0; x < count; x += 8) {
        size_t lanes = count - x < 8 ? count - x : 8;
        v8 v = threshold - (v8){0};
        if (lanes == 8) memcpy(&v, values + x, 32);
        else memcpy(&v, values + x, 4 * lanes);
        i8 above = v > threshold;
        total += __builtin_convertvector((v8)((i8)v & above), d8);
        found -= above;
    }
    for (int i = 0; i < 8; i++) {
        *sum += total[i];
        *number += found[i];
    }
}

INLINE void lesion_blend(const float *texture, float scale, float *image, size_t count) {
    for (size_t x = 0; x < count; x++) {
        float b = scale * texture[x];
        b = b < 1.0f ? b : 1.0f;
        image[x] = image[x] > b ? image[x] : b;
    }
}

INLINE void lesion_begin(const float *slab, const uint8_t *lung, float tau, float *image, uint8_t *target,
                         size_t count) {
    for (size_t x = 0; x < count; x++) {
        float value = lung[x] ? slab[x] : 0.0f;
        image[x] = value;
        target[x] = value >= tau;
    }
}

INLINE size_t count_set(const uint8_t *mask, size_t count) {
    size_t total = 0;
    for (size_t x = 0; x < count;) {
        size_t end = count - x < 4096 ? count : x + 4096;
        uint32_t some = 0;
        for (; x < end; x++) some += mask[x] != 0;
        total += some;
    }
    return total;
}

// Each kernel is compiled twice from one source; the processor decides at run time which runs.
#if defined(__x86_64__)
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#define TARGET __attribute__((target("avx2,fma")))
#else
static int has_avx2(void) { return 0; }
#define TARGET
#endif

#define TWICE(result, name, parameters, arguments)                                                                     \
    static result name##_portable parameters { return name arguments; }                                                \
    TARGET static result name##_avx2 parameters { return name arguments; }                                             \
    result quintet_##name parameters { return has_avx2() ? name##_avx2 arguments : name##_portable arguments; }

TWICE(void, ellipsoid_row,
      (const float *along_z, const float *along_y, const float *along_x, ptrdiff_t plane, const float *weights,
       int taps, const float *matrix, float z, float y, float first, float step, const uint8_t *lung, uint8_t *out,
       size_t count),
      (along_z, along_y, along_x, plane, weights, taps, matrix, z, y, first, step, lung, out, count))
TWICE(void, range, (const float *values, size_t count, float *low, float *high), (values, count, low, high))
TWICE(void, salt, (const float *share, float least, float scale, float offset, float *values, size_t count),
      (share, least, scale, offset, values, count))
TWICE(void, sum_above, (const float *values, size_t count, float threshold, double *sum, int64_t *number),
      (values, count, threshold, sum, number))
TWICE(void, lesion_blend, (const float *texture, float scale, float *image, size_t count),
      (texture, scale, image, count))
TWICE(void, lesion_begin,
      (const float *slab, const uint8_t *lung, float tau, float *image, uint8_t *target, size_t count),
      (slab, lung, tau, image, target, count))
TWICE(size_t, count_set, (const uint8_t *mask, size_t count), (mask, count))
