// Prints a digest of what every kernel makes of made-up numbers. cluster/arm.sh compares the lines of two processors.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "quintet_arena.h"
#include "quintet_box.h"
#include "quintet_gaussian.h"
#include "quintet_lesions.h"
#include "quintet_math.h"
#include "quintet_network.h"
#include "quintet_philox.h"

// FNV-1a.
static uint64_t digest(const void *bytes, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return hash;
}
static void say(const char *what, const void *bytes, size_t count) {
    printf("%-44s %016llx\n", what, (unsigned long long)digest(bytes, count));
}

static float *memory(size_t floats) {
    float *start = quintet_arena_create((floats + 64) * sizeof(float));
    if (!start) abort();
    return start;
}
// Uniform in [-1, 1).
static float *numbers(size_t count, uint64_t stream) {
    float *values = memory(count);
    quintet_philox_uniform(7, stream, 0, values, count);
    for (size_t i = 0; i < count; i++) values[i] = 2 * values[i] - 1;
    return values;
}
static float *tensor(quintet_pool *pool, quintet_layout layout, uint64_t stream) {
    float *to = memory(quintet_layout_floats(layout));
    float *plain = numbers((size_t)layout.channels * layout.depth * layout.height * layout.width, stream);
    quintet_import(pool, layout, layout.depth, layout.height, layout.width, plain, to);
    quintet_arena_destroy(plain);
    return to;
}
static size_t bytes_of(quintet_layout layout) { return quintet_layout_floats(layout) * sizeof(float); }

typedef struct { int fine, coarse, kernel, stride, depth, height, width, fine_planar, coarse_planar; } shape;

static void convolution(quintet_pool *pool, shape s) {
    quintet_layout fine = {s.fine, s.depth * s.stride, s.height * s.stride, s.width * s.stride, s.fine_planar, 0, 0};
    quintet_layout coarse = {s.coarse, s.depth, s.height, s.width, s.coarse_planar, 0, 0};
    quintet_convolution c = {fine, coarse, s.kernel, s.stride};
    size_t count = (size_t)s.fine * s.coarse * s.kernel * s.kernel * s.kernel;
    float *weights = numbers(count, 1), *x = tensor(pool, fine, 2), *y = tensor(pool, coarse, 3);
    float *bias = numbers(512, 4), *gradient = memory(count), *scratch = memory(quintet_gradient_scratch(&c));
    for (int direction = 0; direction < 2; direction++) {
        quintet_layout layout = direction ? fine : coarse;
        size_t floats = quintet_packed_floats(&c, direction);
        float *packed = memory(floats), *out = memory(quintet_layout_floats(layout));
        float *statistics = memory(quintet_statistics_floats(layout));
        double *sums = (double *)memory(2 * quintet_result_scratch(&c, direction, layout));
        quintet_result_statistics wanted = {layout, statistics, sums};
        quintet_pack_weights(pool, &c, direction, weights, packed);
        const float *w = floats ? packed : weights;
        if (direction) quintet_convolve_transposed(pool, &c, y, w, bias, out, 0, &wanted);
        else quintet_convolve(pool, &c, x, w, bias, out, 0, &wanted);
        char what[64];
        snprintf(what, sizeof what, "%s %d->%d k%d s%d %dx%dx%d", direction ? "transposed" : "convolution", s.fine,
                 s.coarse, s.kernel, s.stride, s.depth, s.height, s.width);
        say(what, out, bytes_of(layout));
        say("    statistics", statistics, quintet_statistics_floats(layout) * sizeof(float));
        quintet_arena_destroy(packed), quintet_arena_destroy(out);
        quintet_arena_destroy(statistics), quintet_arena_destroy(sums);
    }
    quintet_weight_gradient(pool, &c, x, y, scratch, gradient);
    say("    weight gradient", gradient, count * sizeof(float));
    quintet_arena_destroy(weights), quintet_arena_destroy(x), quintet_arena_destroy(y), quintet_arena_destroy(bias);
    quintet_arena_destroy(gradient), quintet_arena_destroy(scratch);
}

static void norms_and_loss(quintet_pool *pool, quintet_layout layout) {
    float *x = tensor(pool, layout, 5), *g = tensor(pool, layout, 6), *r = tensor(pool, layout, 8);
    float *y = memory(quintet_layout_floats(layout)), *statistics = memory(quintet_statistics_floats(layout));
    double *scratch = (double *)memory(2 * quintet_sum_scratch(layout));
    float slope = 0.3f, slope_gradient = 0.5f, bias[64] = {0};
    quintet_norm_statistics(pool, layout, x, scratch, statistics);
    quintet_norm_activate(pool, layout, x, statistics, &slope, r, y);
    say("norm, PReLU, residual", y, bytes_of(layout));
    quintet_norm_activate_gradient(pool, layout, x, statistics, &slope, g, scratch, y, &slope_gradient);
    say("    gradient", y, bytes_of(layout));
    say("    slope's gradient", &slope_gradient, sizeof slope_gradient);
    quintet_bias_gradient(pool, layout, g, scratch, bias);
    say("    bias's gradient", bias, sizeof bias);
    quintet_add(pool, layout, x, r);
    say("add", r, bytes_of(layout));
    size_t voxels = (size_t)layout.depth * layout.height * layout.width;
    uint8_t *target = malloc(voxels);
    float *classes = numbers(voxels, 9), *probability = memory(voxels);
    for (size_t i = 0; i < voxels; i++) target[i] = classes[i] > 0.3f;
    quintet_loss_figures figures = {0};
    quintet_dice_cross_entropy(pool, layout, x, target, 0.5, scratch, y, &figures);
    say("Dice and cross-entropy", &figures, sizeof figures);
    say("    gradient", y, bytes_of(layout));
    quintet_softmax(pool, layout, layout.depth, layout.height, layout.width, x, 1, probability);
    say("softmax", probability, voxels * sizeof(float));
    free(target);
}

static void adam(quintet_pool *pool) {
    enum { COUNT = 10007 };
    float *weights = numbers(COUNT, 10), *mean = memory(COUNT), *square = memory(COUNT);
    for (int step = 1; step <= 5; step++) {
        float *gradient = numbers(COUNT, 10 + step);
        quintet_adam(pool, COUNT, 3e-4, 0.9, 0.999, 1e-8, step, gradient, mean, square, weights);
        quintet_arena_destroy(gradient);
    }
    say("five steps of Adam", weights, COUNT * sizeof(float));
}

static void elementary(void) {
    enum { COUNT = 20000 };
    static double values[4][COUNT];
    for (int i = 0; i < COUNT; i++) {
        double x = (i - COUNT / 2) * 0.0123;
        values[0][i] = quintet_exp(x * 0.5);
        values[1][i] = quintet_log(1e-6 + i * 0.37);
        values[2][i] = quintet_sin(x);
        values[3][i] = quintet_cos(x);
    }
    say("exp, log, sin, cos", values, sizeof values);
}

// The loops of filters and of the lesion generator.
static void rows(void) {
    enum { WIDTH = 203, ROWS = 64, COUNT = WIDTH * ROWS };
    float *field = numbers(3 * COUNT, 20), *weights = numbers(64, 21), *out = memory(COUNT), *slab = numbers(COUNT, 22);
    uint8_t lung[COUNT], inside[COUNT] = {0}, target[COUNT];
    for (int i = 0; i < COUNT; i++) lung[i] = i % 7 != 0;
    quintet_weighted_rows(field, WIDTH, weights, 9, out, WIDTH * (ROWS - 9));
    say("rows of the Gaussian filter", out, COUNT * sizeof(float));
    const float matrix[9] = {0.02f, 0.003f, 0, -0.004f, 0.015f, 0.001f, 0.002f, 0, 0.011f};
    for (int r = 0; r < ROWS; r++)
        quintet_ellipsoid_row(field, field + COUNT, field + 2 * COUNT, WIDTH, weights, 8, matrix, r - 30.5f, 3.25f,
                              -90, 0.8f, lung, inside + r * WIDTH, WIDTH);
    say("deformed ellipsoids", inside, sizeof inside);
    float low = 1e9f, high = -1e9f;
    quintet_range(field, COUNT, &low, &high);
    quintet_salt(slab, low, 0.4f, 0.1f, field, COUNT);
    say("salt", field, COUNT * sizeof(float));
    double sum = 0;
    int64_t number = 0;
    quintet_sum_above(slab, COUNT, 0.2f, &sum, &number);
    say("sum above a threshold", &sum, sizeof sum);
    quintet_lesion_begin(slab, lung, 0.33f, out, target, COUNT);
    quintet_lesion_blend(slab, 1.7f, out, COUNT);
    say("blended lesions", out, COUNT * sizeof(float));
    float *means = memory(COUNT);
    double *scratch = (double *)memory(2 * (ROWS + 16) * (WIDTH + 16));
    for (int slice = 0; slice < 4; slice++)
        quintet_box_means(slab, 4, ROWS / 4, WIDTH, 1, 2, 3, slice, 0, ROWS / 4, scratch, means);
    say("means of boxes", means, COUNT * sizeof(float));
}

int main(int count, char **arguments) {
    if (count > 1) quintet_variant_prefer(atoi(arguments[1]), 0);
    quintet_pool *pool = quintet_pool_create(2);
    static const shape shapes[] = {
        {16, 16, 3, 1, 6, 17, 30, 0, 0}, {33, 20, 3, 1, 7, 14, 27, 0, 0}, {48, 64, 3, 1, 4, 20, 33, 0, 0},
        {40, 70, 3, 1, 2, 15, 14, 0, 0}, {5, 23, 3, 1, 2, 3, 13, 0, 0}, {16, 40, 1, 1, 2, 3, 7, 0, 0},
        {16, 32, 3, 2, 2, 3, 7, 0, 0}, {21, 24, 3, 2, 7, 14, 27, 0, 0}, {16, 80, 3, 2, 2, 7, 8, 0, 0},
        {1, 16, 3, 2, 4, 18, 40, 1, 0}, {2, 33, 3, 2, 5, 9, 35, 1, 0}, {1, 20, 3, 1, 2, 5, 7, 1, 0},
        {2, 2, 3, 1, 3, 18, 90, 1, 1}, {4, 3, 3, 1, 2, 2, 3, 1, 1}, {6, 7, 3, 3, 2, 2, 3, 0, 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) convolution(pool, shapes[i]);
    norms_and_loss(pool, (quintet_layout){20, 3, 5, 7, 0, 0, 0});
    norms_and_loss(pool, (quintet_layout){2, 4, 13, 37, 1, 0, 0});
    adam(pool);
    elementary();
    rows();
    quintet_pool_destroy(pool);
}
