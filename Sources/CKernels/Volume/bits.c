#include "quintet_bits.h"

void quintet_bits_from_bytes(const uint8_t *bytes, size_t width, size_t first_row, size_t rows, uint64_t *bits) {
    size_t pitch = (width + 63) / 64;
    for (size_t row = first_row; row < first_row + rows; row++)
        for (size_t x = 0; x < width; x += 64)
            bits[row * pitch + x / 64] = quintet_word_of_bytes(bytes + row * width + x, width - x);
}

void quintet_bits_without_bytes(const uint8_t *bytes, const uint64_t *within, size_t width, size_t first_row,
                                size_t rows, uint64_t *bits) {
    size_t pitch = (width + 63) / 64;
    for (size_t row = first_row; row < first_row + rows; row++)
        for (size_t x = 0; x < width; x += 64) {
            uint64_t word = within[row * pitch + x / 64];
            bits[row * pitch + x / 64] =
                word ? word & ~quintet_word_of_bytes(bytes + row * width + x, width - x) : 0;
        }
}

typedef uint64_t cache_line __attribute__((ext_vector_type(8), aligned(64)));

// Past the caches: nobody reads a whole volume from them, and memory need not be read before it is overwritten.
static void write_zeros(uint8_t *to, size_t count) {
    size_t done = -(uintptr_t)to % sizeof(cache_line);
    if (done > count) done = count;
    memset(to, 0, done);
    for (; done + sizeof(cache_line) <= count; done += sizeof(cache_line))
        __builtin_nontemporal_store((cache_line)0, (cache_line *)(to + done));
    memset(to + done, 0, count - done);
}

static int row_is_empty(const uint64_t *row, size_t pitch) {
    uint64_t any = 0;
    for (size_t i = 0; i < pitch; i++) any |= row[i];
    return !any;
}

static void write_row(const uint64_t *row, size_t width, uint8_t *out) {
    memset(out, 0, width);
    for (size_t x = 0; x < width; x += 64) {
        uint64_t word = row[x / 64];
        if (!word) continue;
        size_t count = width - x < 64 ? width - x : 64;
        for (size_t i = 0; i < count; i++) out[x + i] = word >> i & 1;
    }
}

void quintet_bits_to_bytes(const uint64_t *bits, size_t width, size_t first_row, size_t rows, uint8_t *bytes) {
    size_t pitch = (width + 63) / 64, last = first_row + rows;
    for (size_t row = first_row; row < last; row++) {
        size_t begin = row;
        while (row < last && row_is_empty(bits + row * pitch, pitch)) row++;
        write_zeros(bytes + begin * width, (row - begin) * width);
        if (row < last) write_row(bits + row * pitch, width, bytes + row * width);
    }
}

void quintet_bits_at_least(const float *values, float threshold, const uint64_t *mask, size_t width, size_t first_row,
                           size_t rows, uint64_t *bits) {
    size_t pitch = (width + 63) / 64;
    for (size_t row = first_row; row < first_row + rows; row++)
        for (size_t x = 0; x < width; x += 64) {
            uint64_t within = mask[row * pitch + x / 64];
            bits[row * pitch + x / 64] =
                within ? within & quintet_word_at_least(values + row * width + x, threshold, width - x) : 0;
        }
}

size_t quintet_bits_count(const uint64_t *words, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += (size_t)__builtin_popcountll(words[i]);
    return total;
}

size_t quintet_bits_count_both(const uint64_t *a, const uint64_t *b, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += (size_t)__builtin_popcountll(a[i] & b[i]);
    return total;
}

enum { BLOCK = 128, PLANES = 16 };

// Counters are kept in slices: plane p holds bit p of 64 counters in each word, so one ripple of ANDs and XORs adds a
// voter to 64 voxels at once.
static void vote_block(const uint64_t *const *voters, size_t voter_count, size_t needed, size_t planes, size_t first,
                       size_t count, uint64_t *out) {
    uint64_t counter[PLANES][BLOCK], carry[BLOCK], above[BLOCK], equal[BLOCK];
    memset(counter, 0, planes * sizeof counter[0]);
    for (size_t v = 0; v < voter_count; v++) {
        memcpy(carry, voters[v] + first, count * sizeof *carry);
        for (size_t p = 0; p < planes; p++)
            for (size_t i = 0; i < count; i++) {
                uint64_t old = counter[p][i];
                counter[p][i] = old ^ carry[i];
                carry[i] &= old;
            }
    }
    memset(above, 0, sizeof above);
    memset(equal, 0xff, sizeof equal);
    for (size_t p = planes; p-- > 0;)
        for (size_t i = 0; i < count; i++) {
            if (needed >> p & 1) {
                equal[i] &= counter[p][i];
            } else {
                above[i] |= equal[i] & counter[p][i];
                equal[i] &= ~counter[p][i];
            }
        }
    for (size_t i = 0; i < count; i++) out[first + i] = above[i] | equal[i];
}

void quintet_bits_vote(const uint64_t *const *voters, size_t voter_count, size_t needed, size_t first, size_t count,
                       uint64_t *out) {
    size_t planes = 1;
    while (voter_count >> planes) planes++;
    for (size_t begin = first; begin < first + count; begin += BLOCK) {
        size_t left = first + count - begin;
        vote_block(voters, voter_count, needed, planes, begin, left < BLOCK ? left : BLOCK, out);
    }
}
