// Row kernels of the lesion generator (SynthData/LesionGenerator.swift). Every value is computed by the same IEEE
// operations in the same order for any vector width.
#ifndef QUINTET_LESIONS_H
#define QUINTET_LESIONS_H
#include <stddef.h>
#include <stdint.h>

/// A row of an elastically deformed ellipsoid: out[x] = 1 where lung[x] is set and |matrix * p| < 1 for
/// p = (z, y, (first + x) * step) + displacement; other voxels keep their value. matrix is row-major 3x3 over
/// (z, y, x).
/// The displacement's component c = 0, 1, 2 (z, y, x) is the sum over k of weights[c * taps + k] * field[k * plane + x]
/// with field = along_z, along_y, along_x. taps = 0: undeformed, fields and weights are not read.
void quintet_ellipsoid_row(const float *along_z, const float *along_y, const float *along_x, ptrdiff_t plane,
                           const float *weights, int taps, const float *matrix, float z, float y, float first,
                           float step, const uint8_t *lung, uint8_t *out, size_t count);

/// Widens *low ... *high to hold all values.
void quintet_range(const float *values, size_t count, float *low, float *high);

/// values[x] = values[x] < scale * (share[x] - least) + offset ? 1 : 0.
void quintet_salt(const float *share, float least, float scale, float offset, float *values, size_t count);

/// Adds the values above `threshold` to *sum and their number to *number. Value x is summed in lane x % 8; the lanes
/// are added in order at the end.
void quintet_sum_above(const float *values, size_t count, float threshold, double *sum, int64_t *number);

/// image[x] = max(image[x], min(scale * texture[x], 1)).
void quintet_lesion_blend(const float *texture, float scale, float *image, size_t count);

/// image = slab where lung is set, otherwise 0; target = 1 where image >= tau, otherwise 0.
void quintet_lesion_begin(const float *slab, const uint8_t *lung, float tau, float *image, uint8_t *target,
                          size_t count);

/// Number of bytes that are not 0.
size_t quintet_count_set(const uint8_t *mask, size_t count);
#endif
