// Sums slide along z and y: what enters is added, what leaves is subtracted, both read again from the source, which
// for a band of rows is still in the cache. Along x a prefix sum serves any box size.
#include "quintet_box.h"
#include "quintet_bits.h"

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t weight(const quintet_box_source *source, const float *intensity, float scale, size_t i) {
    if (!source->intensities) return 1;
    float v = intensity[i];
    v = v > 0 ? v : 0;
    v = v < 1 ? v : 1;
    return (uint32_t)(int32_t)(v * scale + 0.5f);
}

// column[i] += (sign) weight of voxel i, for the voxels of one word.
INLINE void add_word(const quintet_box_source *source, uint64_t word, const float *intensity, float scale,
                     size_t count, int subtract, uint32_t *column) {
    for (size_t half = 0; half < 2; half++) {
        uint32_t bits = (uint32_t)(word >> (32 * half));
        size_t begin = 32 * half, n = count < begin ? 0 : count - begin < 32 ? count - begin : 32;
        if (!bits) continue;
        if (n == 32) {
            for (uint32_t i = 0; i < 32; i++) {
                uint32_t w = weight(source, intensity, scale, begin + i) & (0u - (bits >> i & 1));
                column[begin + i] += subtract ? 0u - w : w;
            }
        } else {
            for (uint32_t i = 0; i < n; i++) {
                uint32_t w = weight(source, intensity, scale, begin + i) & (0u - (bits >> i & 1));
                column[begin + i] += subtract ? 0u - w : w;
            }
        }
    }
}

INLINE void add_slice(const quintet_box_source *source, size_t z, size_t y_begin, size_t y_end, int subtract,
                      uint32_t *columns) {
    size_t pitch = (source->width + 63) / 64, span = 64 * (source->word_end - source->word_begin);
    float scale = (float)(1u << source->shift);
    for (size_t y = y_begin; y < y_end; y++, columns += span) {
        size_t row = z * source->height + y;
        for (size_t w = source->word_begin; w < source->word_end; w++) {
            uint64_t word = source->bits[row * pitch + w];
            if (!word) continue;
            size_t left = source->width - 64 * w;
            const float *intensity = source->intensities ? source->intensities + row * source->width + 64 * w : 0;
            add_word(source, word, intensity, scale, left < 64 ? left : 64, subtract,
                     columns + 64 * (w - source->word_begin));
        }
    }
}

// sums[x] = sum over the box, from the row of column sums padded with radius zeros on both sides.
INLINE void sum_row(const uint32_t *padded, size_t span, size_t radius, uint32_t *prefix, uint32_t *sums) {
    uint32_t total = 0;
    for (size_t i = 0; i < span + 2 * radius; i++) {
        prefix[i] = total;
        total += padded[i];
    }
    prefix[span + 2 * radius] = total;
    for (size_t x = 0; x < span; x++) sums[x] = prefix[x + 2 * radius + 1] - prefix[x];
}

INLINE void exceed_row(const uint32_t *sums, size_t words, uint32_t threshold, uint64_t *out) {
    for (size_t w = 0; w < words; w++) {
        uint8_t above[64];
        for (size_t i = 0; i < 64; i++) above[i] = sums[64 * w + i] > threshold;
        out[w] = quintet_word_of_bytes(above, 64);
    }
}

size_t quintet_box_scratch_count(const quintet_box_source *source, size_t rows) {
    size_t span = 64 * (source->word_end - source->word_begin);
    return span * (rows + 2 * source->radius_y) + 3 * (span + 2 * source->radius_x + 1);
}

typedef struct {
    const quintet_box_source *source;
    size_t first_row, rows, first_slice, slices;
    uint32_t *scratch;
    uint32_t threshold;
    uint64_t *bits;  // one of the two outputs
    uint32_t *sums;
} box_task;

// Emits the rows of slice z from the columns' sums along z, which begin at row y_begin.
INLINE void emit_slice(const box_task *task, size_t z, size_t y_begin, size_t y_end, const uint32_t *columns,
                       uint32_t *padded) {
    const quintet_box_source *source = task->source;
    size_t words = source->word_end - source->word_begin, span = 64 * words, radius = source->radius_y;
    size_t pitch = (source->width + 63) / 64;
    uint32_t *plane = padded + source->radius_x, *prefix = padded + span + 2 * source->radius_x;
    uint32_t *sums = prefix + span + 2 * source->radius_x + 1;
    memset(padded, 0, (span + 2 * source->radius_x) * sizeof *padded);
    for (size_t y = y_begin; y < y_end && y < task->first_row + radius; y++)
        for (size_t i = 0; i < span; i++) plane[i] += columns[(y - y_begin) * span + i];
    for (size_t y = task->first_row; y < task->first_row + task->rows; y++) {
        if (y + radius < y_end) {
            const uint32_t *enter = columns + (y + radius - y_begin) * span;
            for (size_t i = 0; i < span; i++) plane[i] += enter[i];
        }
        sum_row(padded, span, source->radius_x, prefix, sums);
        size_t row = z * source->height + y;
        if (task->bits) {
            exceed_row(sums, words, task->threshold, task->bits + row * pitch + source->word_begin);
            if (source->word_end == pitch && source->width % 64)
                task->bits[row * pitch + pitch - 1] &= ~(~0ull << source->width % 64);
        } else {
            memcpy(task->sums + row * source->width, sums, source->width * sizeof *sums);
        }
        if (y >= y_begin + radius) {
            const uint32_t *leave = columns + (y - radius - y_begin) * span;
            for (size_t i = 0; i < span; i++) plane[i] -= leave[i];
        }
    }
}

INLINE void run_task(const box_task *task) {
    const quintet_box_source *source = task->source;
    size_t span = 64 * (source->word_end - source->word_begin), radius = source->radius_z;
    size_t below = task->first_row - source->y_begin, last = task->first_row + task->rows;
    size_t y_begin = below < source->radius_y ? source->y_begin : task->first_row - source->radius_y;
    size_t y_end = source->y_end - last < source->radius_y ? source->y_end : last + source->radius_y;
    uint32_t *columns = task->scratch, *padded = columns + span * (task->rows + 2 * source->radius_y);
    memset(columns, 0, span * (y_end - y_begin) * sizeof *columns);
    size_t warm = task->first_slice - source->z_begin < radius ? source->z_begin : task->first_slice - radius;
    for (size_t z = warm; z < task->first_slice + radius && z < source->z_end; z++)
        add_slice(source, z, y_begin, y_end, 0, columns);
    for (size_t z = task->first_slice; z < task->first_slice + task->slices; z++) {
        if (z + radius < source->z_end) add_slice(source, z + radius, y_begin, y_end, 0, columns);
        emit_slice(task, z, y_begin, y_end, columns, padded);
        if (z >= source->z_begin + radius) add_slice(source, z - radius, y_begin, y_end, 1, columns);
    }
}

static void run_portable(const box_task *task) { run_task(task); }

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void run_avx2(const box_task *task) { run_task(task); }

static void dispatch(const box_task *task) {
    if (__builtin_cpu_supports("avx2")) run_avx2(task); else run_portable(task);
}
#else
static void dispatch(const box_task *task) { run_portable(task); }
#endif

void quintet_box_exceeds(const quintet_box_source *source, uint32_t threshold, size_t first_row, size_t rows,
                         size_t first_slice, size_t slices, uint32_t *scratch, uint64_t *out) {
    box_task task = {source, first_row, rows, first_slice, slices, scratch, threshold, out, 0};
    dispatch(&task);
}

void quintet_box_sums(const quintet_box_source *source, size_t first_row, size_t rows, size_t first_slice,
                      size_t slices, uint32_t *scratch, uint32_t *out) {
    box_task task = {source, first_row, rows, first_slice, slices, scratch, 0, 0, out};
    dispatch(&task);
}

INLINE void means(const float *values, size_t depth, size_t height, size_t width, size_t radius_z, size_t radius_y,
                  size_t radius_x, size_t slice, size_t first_row, size_t rows, double *scratch, float *out) {
    size_t z_begin = slice < radius_z ? 0 : slice - radius_z;
    size_t z_end = depth - slice <= radius_z ? depth : slice + radius_z + 1;
    size_t y_begin = first_row < radius_y ? 0 : first_row - radius_y;
    size_t y_end = height - first_row - rows < radius_y ? height : first_row + rows + radius_y;
    double *columns = scratch, *padded = columns + width * (rows + 2 * radius_y), *plane = padded + radius_x;
    memset(columns, 0, width * (y_end - y_begin) * sizeof *columns);
    for (size_t z = z_begin; z < z_end; z++) {
        const float *from = values + (z * height + y_begin) * width;
        for (size_t i = 0; i < (y_end - y_begin) * width; i++) columns[i] += (double)from[i];
    }
    double volume = (double)((2 * radius_z + 1) * (2 * radius_y + 1) * (2 * radius_x + 1));
    for (size_t y = first_row; y < first_row + rows; y++) {
        memset(padded, 0, (width + 2 * radius_x) * sizeof *padded);
        size_t from = y < y_begin + radius_y ? y_begin : y - radius_y;
        size_t end = y + radius_y + 1 < y_end ? y + radius_y + 1 : y_end;
        for (size_t row = from; row < end; row++)
            for (size_t x = 0; x < width; x++) plane[x] += columns[(row - y_begin) * width + x];
        float *to = out + (slice * height + y) * width;
        for (size_t x = 0; x < width; x++) {
            double sum = 0;
            for (size_t i = 0; i <= 2 * radius_x; i++) sum += padded[x + i];
            to[x] = (float)(sum / volume);
        }
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void means_avx2(
    const float *values, size_t depth, size_t height, size_t width, size_t radius_z, size_t radius_y, size_t radius_x,
    size_t slice, size_t first_row, size_t rows, double *scratch, float *out) {
    means(values, depth, height, width, radius_z, radius_y, radius_x, slice, first_row, rows, scratch, out);
}
#endif

void quintet_box_means(const float *values, size_t depth, size_t height, size_t width, size_t radius_z,
                       size_t radius_y, size_t radius_x, size_t slice, size_t first_row, size_t rows, double *scratch,
                       float *out) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        means_avx2(values, depth, height, width, radius_z, radius_y, radius_x, slice, first_row, rows, scratch, out);
        return;
    }
#endif
    means(values, depth, height, width, radius_z, radius_y, radius_x, slice, first_row, rows, scratch, out);
}
