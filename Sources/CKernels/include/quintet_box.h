// Sums over boxes of odd size around every voxel; outside the region is zero. Integer sums are exact, so neither the
// order of additions nor the number of threads nor the vector width can change them.
#ifndef QUINTET_BOX_H
#define QUINTET_BOX_H
#include <stddef.h>
#include <stdint.h>

/// What is summed. Every set bit weighs 1, or - with `intensities` - round(clip(intensity, 0, 1) * 2^shift), with
/// shift <= 24 (not a number weighs 0). Bits are rows of words (quintet_bits.h), intensities rows of floats.
typedef struct {
    const uint64_t *bits;
    const float *intensities; // NULL: weight 1
    unsigned shift;
    /// With intensities: where not NULL, rows of bits that get the source's bits of intensity >= bright_from on the
    /// way, in all words of the region; each intensity is then read from memory once for both masks.
    uint64_t *bright;
    float bright_from;
    size_t height, width;
    /// Voxels outside of slices z_begin ..< z_end, rows y_begin ..< y_end and words word_begin ..< word_end count as 0.
    size_t z_begin, z_end, y_begin, y_end, word_begin, word_end;
    /// Half sizes of the box: it has 2 * radius + 1 voxels on an axis. The largest sum must be below 2^32.
    size_t radius_z, radius_y, radius_x;
} quintet_box_source;

/// Words of uint32_t that a task of `rows` rows needs as scratch.
size_t quintet_box_scratch_count(const quintet_box_source *source, size_t rows);

/// out: rows of bits; sets all words of the source's word range, in the rows and slices given (inside the source's
/// region), to "sum > threshold" where `within` has a bit, and to 0 elsewhere.
void quintet_box_exceeds(const quintet_box_source *source, uint32_t threshold, const uint64_t *within,
                         size_t first_row, size_t rows, size_t first_slice, size_t slices, uint32_t *scratch,
                         uint64_t *out);

/// out: [z][y][x] of sums; writes the given rows and slices.
void quintet_box_sums(const quintet_box_source *source, size_t first_row, size_t rows, size_t first_slice,
                      size_t slices, uint32_t *scratch, uint32_t *out);

/// Means of floats over boxes, 0 outside of the volume, for `rows` rows of one slice. Order of additions, in double:
/// for every column the slices upwards, then the rows upwards, then x upwards; one division by the box's volume, one
/// rounding to float. scratch: (rows + 2 * radius_y + 1) * (width + 2 * radius_x) doubles.
void quintet_box_means(const float *values, size_t depth, size_t height, size_t width, size_t radius_z,
                       size_t radius_y, size_t radius_x, size_t slice, size_t first_row, size_t rows, double *scratch,
                       float *out);
#endif
