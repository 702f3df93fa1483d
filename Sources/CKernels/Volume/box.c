// Sums slide along z and y: what enters is added, what leaves is subtracted. Along x as many vectors are added as the
// box is wide: boxes are small, and a prefix sum would go one voxel at a time.
#include "quintet_box.h"
#include "quintet_bits.h"

#define INLINE static inline __attribute__((always_inline))

typedef uint32_t lanes __attribute__((ext_vector_type(8), aligned(4)));
typedef _Bool lane_bits __attribute__((ext_vector_type(8)));
#define LOAD(p) (*(const lanes *)(p))

// column[i] += 1 for the bits that enter, -= 1 for those that leave.
INLINE void count_word(uint64_t enter, uint64_t leave, uint32_t *column) {
    for (uint32_t half = 0; half < 2; half++, column += 32) {
        uint32_t in = (uint32_t)(enter >> (32 * half)), out = (uint32_t)(leave >> (32 * half));
        if (!(in | out)) continue;
        for (uint32_t i = 0; i < 32; i++) column[i] += (in >> i & 1) - (out >> i & 1);
    }
}

// Puts a voxel's weight in the place of the one that leaves.
INLINE void weigh(float v, float scale, uint32_t bit, uint32_t *kept, uint32_t *column) {
    v = v > 0 ? v : 0;
    v = v < 1 ? v : 1;
    uint32_t weight = (uint32_t)(int32_t)(v * scale + 0.5f) & (0u - bit);
    *column += weight - *kept;
    *kept = weight;
}

INLINE void weigh_word(uint64_t word, const float *v, float scale, size_t count, uint32_t *kept, uint32_t *column) {
    if (count < 64) {
        for (size_t i = 0; i < count; i++) weigh(v[i], scale, (uint32_t)(word >> i & 1), kept + i, column + i);
        return;
    }
    for (uint32_t half = 0; half < 2; half++, v += 32, kept += 32, column += 32) {
        uint32_t bits = (uint32_t)(word >> (32 * half));
        for (uint32_t i = 0; i < 32; i++) weigh(v[i], scale, bits >> i & 1, kept + i, column + i);
    }
}

INLINE void retire_word(uint32_t *kept, uint32_t *column) {
    for (size_t i = 0; i < 64; i++) {
        column[i] -= kept[i];
        kept[i] = 0;
    }
}

// A row of words that is not there counts as zeros.
typedef struct {
    const uint64_t *enter, *leave;
    const float *intensities, *next;  // of the row that enters, and of the one that enters after it or NULL
    uint64_t *bright;                 // NULL: of another task
} row_change;

INLINE void weigh_row(const quintet_box_source *source, const row_change *row, uint32_t *kept, uint32_t *columns) {
    size_t words = source->word_end - source->word_begin;
    float scale = (float)(1u << source->shift);
    for (size_t w = 0; w < words; w++) {
        uint64_t bright = 0;
        if (row->enter && row->enter[w]) {
            size_t first = 64 * (source->word_begin + w), left = source->width - first;
            // The row below in memory is a page away, too far for the processor to foresee.
            if (row->next)
                for (size_t i = 0; i < 64; i += 16) __builtin_prefetch(row->next + first + i);
            weigh_word(row->enter[w], row->intensities + first, scale, left < 64 ? left : 64, kept + 64 * w,
                       columns + 64 * w);
            if (row->bright)
                bright = row->enter[w] & quintet_word_at_least(row->intensities + first, source->bright_from, left);
        } else if (row->leave && row->leave[w]) {
            retire_word(kept + 64 * w, columns + 64 * w);
        }
        if (row->bright) row->bright[w] = bright;
    }
}

// Rows y_begin ..< y_end of the source that a band needs, and its running sums along z.
typedef struct {
    size_t y_begin, y_end, span;
    uint32_t *columns;  // [y][x]
    uint32_t *kept;     // [z % (2 * radius_z + 1)][y][x], the weights in `columns`; unused where every bit weighs 1
    uint32_t *padded;   // sums along z and y of one row, with radius_x zeros before and after it
} box_band;

typedef struct {
    const quintet_box_source *source;
    size_t first_row, rows, first_slice, slices;
    uint32_t *scratch;
    uint32_t threshold;
    const uint64_t *within;
    uint64_t *bits;  // one of the two outputs
    uint32_t *sums;
} box_task;

// Moves the sums along z on: slice `z` enters, the one a box's height before it leaves.
INLINE void advance(const box_task *task, const box_band *band, size_t first, size_t z) {
    const quintet_box_source *source = task->source;
    size_t pitch = (source->width + 63) / 64, period = 2 * source->radius_z + 1;
    int own_slice = z >= task->first_slice && z < task->first_slice + task->slices;
    uint32_t *columns = band->columns;
    uint32_t *kept = band->kept + z % period * band->span * (band->y_end - band->y_begin);
    for (size_t y = band->y_begin; y < band->y_end; y++, columns += band->span, kept += band->span) {
        size_t row = z * source->height + y, gone = row - period * source->height;
        row_change change = {
            z < source->z_end ? source->bits + row * pitch + source->word_begin : 0,
            z >= first + period ? source->bits + gone * pitch + source->word_begin : 0, 0, 0, 0};
        if (source->intensities) {
            change.intensities = source->intensities + row * source->width;
            if (z + 1 < source->z_end) change.next = change.intensities + source->height * source->width;
            if (source->bright && own_slice && y >= task->first_row && y < task->first_row + task->rows)
                change.bright = source->bright + row * pitch + source->word_begin;
            weigh_row(source, &change, kept, columns);
        } else {
            for (size_t w = 0; w < band->span / 64; w++)
                count_word(change.enter ? change.enter[w] : 0, change.leave ? change.leave[w] : 0, columns + 64 * w);
        }
    }
}

// Moves the sums along y on to row y: the row before it was summed last.
INLINE void advance_row(const box_band *band, size_t y, size_t radius, uint32_t *plane) {
    size_t span = band->span;
    const uint32_t *columns = band->columns;
    if (y + radius < band->y_end) {
        const uint32_t *enter = columns + (y + radius - band->y_begin) * span;
        for (size_t i = 0; i < span; i++) plane[i] += enter[i];
    }
    if (y > band->y_begin + radius) {
        const uint32_t *leave = columns + (y - radius - 1 - band->y_begin) * span;
        for (size_t i = 0; i < span; i++) plane[i] -= leave[i];
    }
}

// Sums over boxes of 32 voxels in a row, from the padded sums along z and y.
INLINE void sum_32(const uint32_t *padded, size_t box, lanes *a, lanes *b, lanes *c, lanes *d) {
    *a = *b = *c = *d = 0;
    for (size_t i = 0; i < box; i++, padded++) {
        *a += LOAD(padded);
        *b += LOAD(padded + 8);
        *c += LOAD(padded + 16);
        *d += LOAD(padded + 24);
    }
}

#define ABOVE(v) (uint64_t)__builtin_bit_cast(uint8_t, __builtin_convertvector((v) > threshold, lane_bits))

INLINE uint64_t exceed_32(const uint32_t *padded, size_t box, uint32_t threshold) {
    lanes a, b, c, d;
    sum_32(padded, box, &a, &b, &c, &d);
    return ABOVE(a) | ABOVE(b) << 8 | ABOVE(c) << 16 | ABOVE(d) << 24;
}

INLINE void emit_bits(const box_task *task, size_t row, const uint32_t *padded) {
    const quintet_box_source *source = task->source;
    size_t pitch = (source->width + 63) / 64, box = 2 * source->radius_x + 1;
    for (size_t w = source->word_begin; w < source->word_end; w++, padded += 64) {
        uint64_t within = task->within[row * pitch + w], found = 0;
        if (within)
            found = exceed_32(padded, box, task->threshold) | exceed_32(padded + 32, box, task->threshold) << 32;
        task->bits[row * pitch + w] = found & within;
    }
}

INLINE void emit_sums(const box_task *task, size_t row, const uint32_t *padded) {
    const quintet_box_source *source = task->source;
    for (size_t x = 0; x < source->width; x += 32) {
        lanes sums[4];
        sum_32(padded + x, 2 * source->radius_x + 1, sums, sums + 1, sums + 2, sums + 3);
        size_t left = source->width - x;
        memcpy(task->sums + row * source->width + x, sums, (left < 32 ? left : 32) * sizeof *task->sums);
    }
}

// Emits the band's rows of slice z.
INLINE void emit_slice(const box_task *task, const box_band *band, size_t z) {
    const quintet_box_source *source = task->source;
    size_t radius = source->radius_y, last = task->first_row + task->rows;
    uint32_t *plane = band->padded + source->radius_x;
    memset(band->padded, 0, (band->span + 2 * source->radius_x) * sizeof *plane);
    for (size_t y = band->y_begin; y < band->y_end && y < task->first_row + radius; y++)
        for (size_t i = 0; i < band->span; i++) plane[i] += band->columns[(y - band->y_begin) * band->span + i];
    for (size_t y = task->first_row; y < last; y++) {
        advance_row(band, y, radius, plane);
        if (task->bits) emit_bits(task, z * source->height + y, band->padded);
        else emit_sums(task, z * source->height + y, band->padded);
    }
}

size_t quintet_box_scratch_count(const quintet_box_source *source, size_t rows) {
    size_t span = 64 * (source->word_end - source->word_begin), band = span * (rows + 2 * source->radius_y);
    return band * (source->intensities ? 2 * source->radius_z + 2 : 1) + span + 2 * source->radius_x;
}

INLINE void run_task(const box_task *task) {
    const quintet_box_source *source = task->source;
    size_t span = 64 * (source->word_end - source->word_begin), radius = source->radius_z;
    size_t below = task->first_row - source->y_begin, last = task->first_row + task->rows;
    box_band band = {
        below < source->radius_y ? source->y_begin : task->first_row - source->radius_y,
        source->y_end - last < source->radius_y ? source->y_end : last + source->radius_y, span, task->scratch, 0, 0};
    size_t size = span * (band.y_end - band.y_begin) * (source->intensities ? 2 * radius + 2 : 1);
    band.kept = band.columns + span * (band.y_end - band.y_begin);
    band.padded = band.columns + size;
    memset(band.columns, 0, size * sizeof *band.columns);
    size_t first = task->first_slice - source->z_begin < radius ? source->z_begin : task->first_slice - radius;
    for (size_t z = first; z < task->first_slice + task->slices + radius; z++) {
        advance(task, &band, first, z);
        if (z >= task->first_slice + radius) emit_slice(task, &band, z - radius);
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

void quintet_box_exceeds(const quintet_box_source *source, uint32_t threshold, const uint64_t *within,
                         size_t first_row, size_t rows, size_t first_slice, size_t slices, uint32_t *scratch,
                         uint64_t *out) {
    box_task task = {source, first_row, rows, first_slice, slices, scratch, threshold, within, out, 0};
    dispatch(&task);
}

void quintet_box_sums(const quintet_box_source *source, size_t first_row, size_t rows, size_t first_slice,
                      size_t slices, uint32_t *scratch, uint32_t *out) {
    box_task task = {source, first_row, rows, first_slice, slices, scratch, 0, 0, 0, out};
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
