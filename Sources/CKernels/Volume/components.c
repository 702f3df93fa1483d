#include "quintet_components.h"
#include "quintet_bits.h"
#include <string.h>

#define RUN_SCANNERS(KIND, ELEMENT, WORD)                                                                           \
    static int32_t count_row_##KIND(const ELEMENT *row, size_t width) {                                             \
        int32_t count = 0;                                                                                          \
        uint64_t before = 0;                                                                                        \
        for (size_t x = 0; x < width; x += 64) {                                                                    \
            uint64_t word = WORD(row, x, width);                                                                    \
            count += __builtin_popcountll(word & ~(word << 1 | before));                                            \
            before = word >> 63;                                                                                    \
        }                                                                                                           \
        return count;                                                                                               \
    }                                                                                                               \
    static void fill_row_##KIND(const ELEMENT *row, size_t width, quintet_run *run) {                               \
        uint64_t before = 0;                                                                                        \
        for (size_t x = 0; x < width; x += 64) {                                                                    \
            uint64_t word = WORD(row, x, width);                                                                    \
            uint64_t inside = before;                                                                               \
            for (uint64_t edges = word ^ (word << 1 | before); edges; edges &= edges - 1, inside ^= 1) {            \
                int32_t at = (int32_t)(x + (size_t)__builtin_ctzll(edges));                                         \
                if (inside) (run++)->end = at; else run->begin = at;                                                \
            }                                                                                                       \
            before = word >> 63;                                                                                    \
        }                                                                                                           \
        if (before) run->end = (int32_t)width;                                                                      \
    }                                                                                                               \
    void quintet_runs_count_##KIND(const ELEMENT *mask, size_t width, size_t first_row, size_t rows,                \
                                   int32_t *counts) {                                                               \
        size_t pitch = PITCH_##KIND(width);                                                                         \
        for (size_t i = 0; i < rows; i++) counts[i] = count_row_##KIND(mask + (first_row + i) * pitch, width);      \
    }                                                                                                               \
    void quintet_runs_fill_##KIND(const ELEMENT *mask, size_t width, size_t first_row, size_t rows,                 \
                                  const int32_t *row_start, quintet_run *runs) {                                    \
        size_t pitch = PITCH_##KIND(width);                                                                         \
        for (size_t row = first_row; row < first_row + rows; row++)                                                 \
            if (row_start[row] != row_start[row + 1])                                                               \
                fill_row_##KIND(mask + row * pitch, width, runs + row_start[row]);                                  \
    }

#define PITCH_bytes(width) (width)
#define PITCH_bits(width) (((width) + 63) / 64)
#define WORD_OF_BYTES(row, x, width) quintet_word_of_bytes((row) + (x), (width) - (x))
#define WORD_OF_BITS(row, x, width) ((row)[(x) / 64])

RUN_SCANNERS(bytes, uint8_t, WORD_OF_BYTES)
RUN_SCANNERS(bits, uint64_t, WORD_OF_BITS)

static inline int32_t find(int32_t *parents, int32_t i) {
    while (parents[i] != i) {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    return i;
}

static inline void join(int32_t *parents, int32_t a, int32_t b) {
    a = find(parents, a);
    b = find(parents, b);
    if (a < b) parents[b] = a;
    else if (b < a) parents[a] = b;
}

// Joins every run of `row` with every run of `other` that it touches; reach 1 lets corners touch.
static void join_rows(const quintet_run *runs, const int32_t *row_start, size_t row, size_t other, int32_t reach,
                      int32_t *parents) {
    int32_t a = row_start[row], a_end = row_start[row + 1], b = row_start[other], b_end = row_start[other + 1];
    while (a < a_end && b < b_end) {
        if (runs[a].begin < runs[b].end + reach && runs[b].begin < runs[a].end + reach) join(parents, a, b);
        if (runs[a].end < runs[b].end) a++; else b++;
    }
}

void quintet_runs_join_seam(const quintet_run *runs, const int32_t *row_start, size_t height, size_t slice, int full,
                            int32_t *parents) {
    for (size_t y = 0; y < height; y++) {
        size_t row = slice * height + y;
        if (row_start[row] == row_start[row + 1]) continue;
        if (full && y > 0) join_rows(runs, row_start, row, row - height - 1, 1, parents);
        join_rows(runs, row_start, row, row - height, full ? 1 : 0, parents);
        if (full && y + 1 < height) join_rows(runs, row_start, row, row - height + 1, 1, parents);
    }
}

void quintet_runs_join(const quintet_run *runs, const int32_t *row_start, size_t height, size_t first_slice,
                       size_t slices, int full, int32_t *parents) {
    size_t first_row = first_slice * height, end_row = (first_slice + slices) * height;
    for (int32_t i = row_start[first_row]; i < row_start[end_row]; i++) parents[i] = i;
    for (size_t slice = first_slice; slice < first_slice + slices; slice++) {
        for (size_t row = slice * height + 1; row < (slice + 1) * height; row++)
            join_rows(runs, row_start, row, row - 1, full ? 1 : 0, parents);
        if (slice > first_slice) quintet_runs_join_seam(runs, row_start, height, slice, full, parents);
    }
}

int32_t quintet_runs_resolve(int32_t *parents, size_t count) {
    int32_t labels = 0;
    // A parent is never behind its child, so it already holds its label when the child is reached.
    for (size_t i = 0; i < count; i++) parents[i] = parents[i] == (int32_t)i ? ++labels : parents[parents[i]];
    return labels;
}

void quintet_runs_paint(const quintet_run *runs, const int32_t *values, const int32_t *row_start, size_t width,
                        size_t first_row, size_t rows, int32_t *out) {
    memset(out + first_row * width, 0, rows * width * sizeof *out);
    for (size_t row = first_row; row < first_row + rows; row++)
        for (int32_t i = row_start[row]; i < row_start[row + 1]; i++)
            for (int32_t x = runs[i].begin; x < runs[i].end; x++) out[row * width + (size_t)x] = values[i];
}

void quintet_runs_paint_bytes(const quintet_run *runs, const int32_t *labels, const uint8_t *keep,
                              const int32_t *row_start, size_t width, size_t first_row, size_t rows, uint8_t *out) {
    memset(out + first_row * width, 0, rows * width);
    for (size_t row = first_row; row < first_row + rows; row++)
        for (int32_t i = row_start[row]; i < row_start[row + 1]; i++)
            if (keep[labels[i]])
                memset(out + row * width + (size_t)runs[i].begin, 1, (size_t)(runs[i].end - runs[i].begin));
}

// Runs the statements for each word of a row that the voxels begin ..< end reach, with the mask of their bits.
#define FOR_EACH_WORD(run, word, mask, ...)                                                                         \
    for (size_t at_ = (size_t)(run).begin, end_ = (size_t)(run).end; at_ < end_;) {                                 \
        size_t word = at_ >> 6, low_ = at_ & 63, stop_ = end_ - at_ < 64 - low_ ? low_ + end_ - at_ : 64;           \
        uint64_t mask = ~0ull << low_ & ~0ull >> (64 - stop_);                                                      \
        __VA_ARGS__                                                                                                 \
        at_ += stop_ - low_;                                                                                        \
    }

void quintet_runs_paint_bits(const quintet_run *runs, const int32_t *labels, const uint8_t *keep,
                             const int32_t *row_start, size_t width, size_t first_row, size_t rows, uint64_t *out) {
    size_t pitch = PITCH_bits(width);
    memset(out + first_row * pitch, 0, rows * pitch * sizeof *out);
    for (size_t row = first_row; row < first_row + rows; row++)
        for (int32_t i = row_start[row]; i < row_start[row + 1]; i++)
            if (keep[labels[i]]) FOR_EACH_WORD(runs[i], word, mask, out[row * pitch + word] |= mask;)
}

void quintet_runs_erase_bits(const quintet_run *runs, const int32_t *labels, const uint8_t *keep,
                             const int32_t *row_start, size_t width, size_t first_row, size_t rows, uint64_t *bits) {
    size_t pitch = PITCH_bits(width);
    for (size_t row = first_row; row < first_row + rows; row++)
        for (int32_t i = row_start[row]; i < row_start[row + 1]; i++)
            if (!keep[labels[i]]) FOR_EACH_WORD(runs[i], word, mask, bits[row * pitch + word] &= ~mask;)
}

void quintet_runs_mark(const quintet_run *runs, const int32_t *labels, const int32_t *row_start, size_t width,
                       size_t first_row, size_t rows, const uint64_t *bits, uint8_t *marks) {
    size_t pitch = PITCH_bits(width);
    for (size_t row = first_row; row < first_row + rows; row++)
        for (int32_t i = row_start[row]; i < row_start[row + 1]; i++) {
            // Atomic, for threads meet here: whoever is first, they write the same.
            uint8_t *mark = marks + labels[i];
            if (__atomic_load_n(mark, __ATOMIC_RELAXED)) continue;
            uint64_t found = 0;
            FOR_EACH_WORD(runs[i], word, mask, found |= bits[row * pitch + word] & mask;)
            if (found) __atomic_store_n(mark, 1, __ATOMIC_RELAXED);
        }
}

void quintet_runs_count_within(const quintet_run *runs, const int32_t *labels, const int32_t *row_start, size_t width,
                               size_t first_row, size_t rows, const uint64_t *bits, int64_t *counts) {
    size_t pitch = PITCH_bits(width);
    for (size_t row = first_row; row < first_row + rows; row++)
        for (int32_t i = row_start[row]; i < row_start[row + 1]; i++) {
            int64_t count = 0;
            FOR_EACH_WORD(runs[i], word, mask, count += __builtin_popcountll(bits[row * pitch + word] & mask);)
            counts[labels[i]] += count;
        }
}
