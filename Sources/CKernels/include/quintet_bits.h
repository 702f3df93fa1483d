// Masks with one bit a voxel, 64 voxels a word. A row of voxels begins at a word: voxel (row, x) is bit x % 64 of word
// row * pitch + x / 64, with pitch = (width + 63) / 64 and row = z * height + y. Bits behind a row's end are 0.
#ifndef QUINTET_BITS_H
#define QUINTET_BITS_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t quintet_byte_lanes __attribute__((ext_vector_type(16), aligned(1)));
typedef _Bool quintet_byte_tests __attribute__((ext_vector_type(16)));

/// Bit i is set where bytes[i] is not 0, for the first min(count, 64) bytes; count > 0.
static inline uint64_t quintet_word_of_bytes(const uint8_t *bytes, size_t count) {
    uint64_t word = 0;
    if (count > 64) count = 64;
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        quintet_byte_tests set = __builtin_convertvector(*(const quintet_byte_lanes *)(bytes + i) != 0,
                                                         quintet_byte_tests);
        word |= (uint64_t)__builtin_bit_cast(uint16_t, set) << i;
    }
    for (; i < count; i++) word |= (uint64_t)(bytes[i] != 0) << i;
    return word;
}

typedef float quintet_value_lanes __attribute__((ext_vector_type(8), aligned(4)));
typedef _Bool quintet_value_tests __attribute__((ext_vector_type(8)));

/// Bit i is set where values[i] >= threshold, for the first min(count, 64) values.
static inline uint64_t quintet_word_at_least(const float *values, float threshold, size_t count) {
    uint64_t word = 0;
    if (count < 64) {
        for (size_t i = 0; i < count; i++) word |= (uint64_t)(values[i] >= threshold) << i;
        return word;
    }
    for (size_t i = 0; i < 64; i += 8) {
        quintet_value_tests above = __builtin_convertvector(*(const quintet_value_lanes *)(values + i) >= threshold,
                                                            quintet_value_tests);
        word |= (uint64_t)__builtin_bit_cast(uint8_t, above) << i;
    }
    return word;
}

void quintet_bits_from_bytes(const uint8_t *bytes, size_t width, size_t first_row, size_t rows, uint64_t *bits);
/// bits = `within` without the voxels whose byte is not 0. `bits` may be `within`.
void quintet_bits_without_bytes(const uint8_t *bytes, const uint64_t *within, size_t width, size_t first_row,
                                size_t rows, uint64_t *bits);
/// Writes 0 or 1 to every byte of the rows.
void quintet_bits_to_bytes(const uint64_t *bits, size_t width, size_t first_row, size_t rows, uint8_t *bytes);

/// bits = mask where values >= threshold, otherwise 0 (also where the value is not a number). `bits` may be `mask`.
void quintet_bits_at_least(const float *values, float threshold, const uint64_t *mask, size_t width, size_t first_row,
                           size_t rows, uint64_t *bits);

size_t quintet_bits_count(const uint64_t *words, size_t count);
/// Number of bits set in both.
size_t quintet_bits_count_both(const uint64_t *a, const uint64_t *b, size_t count);

/// out = 1 where at least `needed` of the voters' words have a 1, for words first ..< first + count;
/// 1 <= needed <= voter_count < 65536.
void quintet_bits_vote(const uint64_t *const *voters, size_t voter_count, size_t needed, size_t first, size_t count,
                       uint64_t *out);

/// Dilation of rows of bits by a shape symmetric in x: bit (z, y, x) of `out` is set where for some offset (dz, dy) and
/// some |dx| <= reach[(dz + radius_z) * (2 * radius_y + 1) + dy + radius_y] bit (z + dz, y + dy, x + dx) is; a negative
/// reach leaves the offset out. flip: 0 or ~0, applied to bits in and out, so ~0 is erosion. Voxels outside of the
/// volume are 0 before the flip. Writes slices first ..< first + slices. distinct: the reaches that occur, each once.
typedef struct {
    const uint64_t *bits;
    size_t depth, height, width, radius_z, radius_y;
    const int32_t *reach, *distinct;
    size_t distinct_count;
    uint64_t flip;
} quintet_dilation;
/// Words of scratch for `slices` slices.
size_t quintet_bits_dilate_scratch_count(const quintet_dilation *dilation, size_t slices);
void quintet_bits_dilate(const quintet_dilation *dilation, size_t first, size_t slices, uint64_t *scratch,
                         uint64_t *out);
#endif
