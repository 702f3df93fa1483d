#include "quintet_distance.h"
#include <math.h>

void quintet_distance_rows(const uint8_t *mask, size_t width, size_t first_row, size_t rows, double spacing,
                           float *squared) {
    for (size_t row = first_row; row < first_row + rows; row++) {
        const uint8_t *from = mask + row * width;
        float *to = squared + row * width;
        double far = INFINITY, steps = far;
        for (size_t x = 0; x < width; x++) {
            steps = from[x] ? 0 : steps + 1;
            to[x] = (float)(steps * spacing * (steps * spacing));
        }
        steps = far;
        for (size_t x = width; x-- > 0;) {
            steps = from[x] ? 0 : steps + 1;
            float other = (float)(steps * spacing * (steps * spacing));
            if (other < to[x]) to[x] = other;
        }
    }
}

// One line: heights f at 0 ..< count (in voxels, squares scaled by 1 / spacing^2); the parabola at vertex[i] is the
// lowest from border[i] on.
static void spread(const double *f, size_t count, double *vertex, double *border, double *out) {
    ptrdiff_t top = -1;
    for (size_t q = 0; q < count; q++) {
        if (isinf(f[q])) continue;
        double at = (double)q, from = -INFINITY;
        while (top >= 0) {
            double v = vertex[top];
            from = ((f[q] + at * at) - (f[(size_t)v] + v * v)) / (2 * (at - v));
            if (from > border[top]) break;
            top--;
            from = -INFINITY;
        }
        top++;
        vertex[top] = at;
        border[top] = from;
    }
    if (top < 0) {
        for (size_t q = 0; q < count; q++) out[q] = INFINITY;
        return;
    }
    ptrdiff_t ruler = 0;
    for (size_t q = 0; q < count; q++) {
        while (ruler < top && border[ruler + 1] < (double)q) ruler++;
        double steps = (double)q - vertex[ruler];
        out[q] = steps * steps + f[(size_t)vertex[ruler]];
    }
}

void quintet_distance_lines(float *squared, size_t count, size_t stride, size_t lines, double spacing,
                            double *scratch) {
    double *f = scratch, *vertex = f + count, *border = vertex + count, *out = border + count + 1;
    double area = spacing * spacing;
    for (size_t line = 0; line < lines; line++) {
        for (size_t i = 0; i < count; i++) f[i] = (double)squared[i * stride + line] / area;
        spread(f, count, vertex, border, out);
        for (size_t i = 0; i < count; i++) squared[i * stride + line] = (float)(out[i] * area);
    }
}
