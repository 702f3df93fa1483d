// Exact Euclidean distances (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012): squared
// distances axis after axis, each the lower envelope of parabolas. IEEE arithmetic in double, in one order.
#ifndef QUINTET_DISTANCE_H
#define QUINTET_DISTANCE_H
#include <stddef.h>
#include <stdint.h>

/// squared[i] = (distance in the row to the nearest byte that is not 0, times spacing)^2; infinity in an empty row.
void quintet_distance_rows(const uint8_t *mask, size_t width, size_t first_row, size_t rows, double spacing,
                           float *squared);

/// Lets squared distances spread along lines of `count` voxels, `stride` elements apart, for `lines` neighbouring lines
/// beginning at squared[0 ..< lines]. scratch: 4 * count + 2 doubles.
void quintet_distance_lines(float *squared, size_t count, size_t stride, size_t lines, double spacing,
                            double *scratch);
#endif
