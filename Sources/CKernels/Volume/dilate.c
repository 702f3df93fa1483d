#include "quintet_bits.h"

#define INLINE static inline __attribute__((always_inline))

// row |= row shifted towards higher x by `shift` voxels.
INLINE void or_shifted_up(uint64_t *row, size_t words, size_t shift) {
    size_t whole = shift / 64, bits = shift % 64;
    for (size_t w = words; w-- > whole;) {
        uint64_t moved = row[w - whole] << bits;
        if (bits && w > whole) moved |= row[w - whole - 1] >> (64 - bits);
        row[w] |= moved;
    }
}

INLINE void or_shifted_down(uint64_t *row, size_t words, size_t shift) {
    size_t whole = shift / 64, bits = shift % 64;
    for (size_t w = 0; w + whole < words; w++) {
        uint64_t moved = row[w + whole] >> bits;
        if (bits && w + whole + 1 < words) moved |= row[w + whole + 1] << (64 - bits);
        row[w] |= moved;
    }
}

INLINE void set_bits(uint64_t *row, size_t begin, size_t end) {
    for (size_t x = begin; x < end; x++) row[x / 64] |= 1ull << x % 64;
}

// Dilates a row in x by `reach`: doubling, so the cost grows with the logarithm of the reach.
INLINE void dilate_row(const uint64_t *row, size_t words, size_t width, size_t reach, uint64_t flip, uint64_t *out) {
    uint64_t last = width % 64 ? ~(~0ull << width % 64) : ~0ull, any = 0;
    for (size_t w = 0; w < words; w++) any |= out[w] = row[w] ^ flip;
    out[words - 1] &= last;
    if (any && reach > 0) {
        // What comes down from behind the row's end is set after a flip.
        for (size_t done = 0, step; done < reach; done += step) {
            step = done + 1 < reach - done ? done + 1 : reach - done;
            or_shifted_up(out, words, step);
            out[words - 1] &= last;
        }
        for (size_t done = 0, step; done < reach; done += step) {
            step = done + 1 < reach - done ? done + 1 : reach - done;
            or_shifted_down(out, words, step);
        }
    }
    if (flip) {
        set_bits(out, 0, reach < width ? reach : width);
        set_bits(out, reach < width ? width - reach : 0, width);
    }
}

size_t quintet_bits_dilate_scratch_count(const quintet_dilation *d, size_t slices) {
    return (slices + 2 * d->radius_z) * d->height * ((d->width + 63) / 64);
}

// Adds every offset with this reach, from rows dilated by it: wide[0] is slice `low`.
INLINE void add_offsets(const quintet_dilation *d, int32_t reach, size_t first, size_t slices, size_t low, size_t high,
                        const uint64_t *wide, uint64_t *out) {
    size_t pitch = (d->width + 63) / 64, plane = d->height * pitch;
    ptrdiff_t rz = (ptrdiff_t)d->radius_z, ry = (ptrdiff_t)d->radius_y, height = (ptrdiff_t)d->height;
    for (ptrdiff_t dz = -rz; dz <= rz; dz++)
        for (ptrdiff_t dy = -ry; dy <= ry; dy++) {
            if (d->reach[(dz + rz) * (2 * ry + 1) + dy + ry] != reach) continue;
            ptrdiff_t y_begin = dy < 0 ? -dy : 0, y_end = dy > 0 ? height - dy : height;
            for (ptrdiff_t z = (ptrdiff_t)first; z < (ptrdiff_t)(first + slices); z++) {
                uint64_t *to = out + (size_t)z * plane;
                if (z + dz < (ptrdiff_t)low || z + dz >= (ptrdiff_t)high) {
                    if (d->flip) memset(to, 0xff, plane * sizeof *to);
                    continue;
                }
                if (d->flip && y_begin > 0)
                    memset(to, 0xff, (size_t)(y_begin < height ? y_begin : height) * pitch * sizeof *to);
                if (d->flip && y_end < height) {
                    size_t row = (size_t)(y_end > 0 ? y_end : 0);
                    memset(to + row * pitch, 0xff, (d->height - row) * pitch * sizeof *to);
                }
                if (y_begin >= y_end) continue;
                const uint64_t *slice = wide + (size_t)(z + dz - (ptrdiff_t)low) * plane;
                const uint64_t *from = slice + (size_t)(y_begin + dy) * pitch;
                uint64_t *rows = to + (size_t)y_begin * pitch;
                size_t count = (size_t)(y_end - y_begin) * pitch;
                for (size_t i = 0; i < count; i++) rows[i] |= from[i];
            }
        }
}

INLINE void dilate(const quintet_dilation *d, size_t first, size_t slices, uint64_t *scratch, uint64_t *out) {
    size_t pitch = (d->width + 63) / 64, plane = d->height * pitch;
    size_t low = first < d->radius_z ? 0 : first - d->radius_z;
    size_t high = d->depth - first - slices < d->radius_z ? d->depth : first + slices + d->radius_z;
    memset(out + first * plane, 0, slices * plane * sizeof *out);
    for (size_t i = 0; i < d->distinct_count; i++) {
        for (size_t row = low * d->height; row < high * d->height; row++)
            dilate_row(d->bits + row * pitch, pitch, d->width, (size_t)d->distinct[i], d->flip,
                       scratch + (row - low * d->height) * pitch);
        add_offsets(d, d->distinct[i], first, slices, low, high, scratch, out);
    }
    uint64_t last = d->width % 64 ? ~(~0ull << d->width % 64) : ~0ull;
    for (size_t row = first * d->height; row < (first + slices) * d->height; row++) {
        for (size_t w = 0; w < pitch; w++) out[row * pitch + w] ^= d->flip;
        out[row * pitch + pitch - 1] &= last;
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void dilate_avx2(const quintet_dilation *d, size_t first, size_t slices,
                                                        uint64_t *scratch, uint64_t *out) {
    dilate(d, first, slices, scratch, out);
}
#endif

void quintet_bits_dilate(const quintet_dilation *d, size_t first, size_t slices, uint64_t *scratch, uint64_t *out) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) { dilate_avx2(d, first, slices, scratch, out); return; }
#endif
    dilate(d, first, slices, scratch, out);
}
