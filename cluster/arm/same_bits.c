// Prints a digest of what every kernel makes of made-up numbers. cluster/arm.sh compares the lines of two processors.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "quintet_arena.h"
#include "quintet_box.h"
#include "quintet_gaussian.h"
#include "quintet_layers.h"
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

typedef struct {
    int fine, coarse, kernel, stride, depth, height, width, fine_planar, coarse_planar, flat, mirrored;
} shape;

static void convolution(quintet_pool *pool, shape s) {
    const int deep = s.flat ? 1 : s.stride, taps = s.kernel * s.kernel * (s.flat ? 1 : s.kernel);
    quintet_layout fine = {s.fine, s.depth * deep, s.height * s.stride, s.width * s.stride, s.fine_planar, 0, 0,
                           s.flat};
    quintet_layout coarse = {s.coarse, s.depth, s.height, s.width, s.coarse_planar, 0, 0, s.flat};
    quintet_convolution c = {fine, coarse, {s.flat ? 1 : s.kernel, s.kernel, s.kernel}, {deep, s.stride, s.stride},
                             s.mirrored};
    size_t count = (size_t)s.fine * s.coarse * taps;
    float *weights = numbers(count, 1), *x = tensor(pool, fine, 2), *y = tensor(pool, coarse, 3);
    if (s.mirrored) quintet_mirror(pool, fine, x);
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
        snprintf(what, sizeof what, "%s%s %d->%d k%d s%d %dx%dx%d", s.flat ? "flat " : "",
                 direction ? "transposed" : "convolution", s.fine, s.coarse, s.kernel, s.stride,
                 s.depth, s.height, s.width);
        if (direction && s.mirrored) quintet_mirror_gradient(pool, &c, y, weights, out);
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

static void standardised(quintet_pool *pool) {
    enum { ROWS = 19, COUNT = 9 * 13 };
    float *weights = numbers(ROWS * COUNT, 23), *gradient = numbers(ROWS * COUNT, 24), *own = memory(ROWS * COUNT);
    quintet_standardise_weights(pool, ROWS, COUNT, weights, own);
    say("standardised weights", own, ROWS * COUNT * sizeof(float));
    quintet_standardise_weights_gradient(pool, ROWS, COUNT, weights, gradient, own);
    say("    gradient", own, ROWS * COUNT * sizeof(float));
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

// Value by value: activations, losses, dropout and latents.
static void elements(quintet_pool *pool, quintet_layout layout) {
    quintet_elements all = {layout, 0};
    float *x = tensor(pool, layout, 30), *g = tensor(pool, layout, 31), *noise = tensor(pool, layout, 32);
    float *y = memory(quintet_layout_floats(layout)), *second = memory(quintet_layout_floats(layout));
    float slope = 0.3f, slope_gradient = 0.5f;
    double loss[3];
    for (int kind = QUINTET_RELU; kind <= QUINTET_PRELU; kind++) {
        quintet_activation activation = {kind, 0.01f};
        quintet_activate(pool, all, activation, &slope, x, y);
        say("activation", y, bytes_of(layout));
        quintet_activate_gradient(pool, all, activation, &slope, x, g, y, &slope_gradient);
        say("    gradient", y, bytes_of(layout));
    }
    say("    slope's gradient", &slope_gradient, sizeof slope_gradient);
    quintet_absolute_error(pool, all, x, g, 0.5, y, loss);
    say("absolute error's gradient", y, bytes_of(layout));
    quintet_square_error(pool, all, x, g, 0.5, y, loss + 1);
    say("square error's gradient", y, bytes_of(layout));
    quintet_gaussian_divergence(pool, all, x, g, 1, 0.5, y, second, loss + 2);
    say("divergence's gradient", second, bytes_of(layout));
    say("    losses", loss, sizeof loss);
    quintet_gaussian_sample(pool, all, x, g, noise, y);
    say("latent", y, bytes_of(layout));
    quintet_gaussian_sample_gradient(pool, all, g, noise, x, y, second, 0);
    say("    gradient", second, bytes_of(layout));
    quintet_dropout(pool, all, 3, 4, 0.3, x, y);
    say("dropout", y, bytes_of(layout));
}

static void affine_norms(quintet_pool *pool, quintet_layout layout, int groups) {
    float *x = tensor(pool, layout, 33), *g = tensor(pool, layout, 34), *y = memory(quintet_layout_floats(layout));
    float *scale = numbers(64, 35), *shift = numbers(64, 36), *running = numbers(64, 37);
    float slope = 0.3f, scales[64] = {0}, shifts[64] = {0}, variance[64] = {0}, slope_gradient = 0;
    for (int batch = 0; batch < 2; batch++) {
        quintet_affine_norm norm = {layout, batch ? layout.channels : groups, batch, {QUINTET_SWISH, 0},
                                    {QUINTET_PRELU, 0}};
        float *statistics = memory(quintet_affine_norm_floats(&norm));
        quintet_affine_norm_statistics(pool, &norm, x, statistics);
        say(batch ? "batch norm" : "group norm", statistics, quintet_affine_norm_floats(&norm) * sizeof(float));
        quintet_affine_norm_forward(pool, &norm, x, statistics, scale, shift, &slope, y);
        say("    result", y, bytes_of(layout));
        quintet_affine_norm_gradient(pool, &norm, x, statistics, scale, shift, &slope, g, y, scales, shifts,
                                     &slope_gradient);
        say("    gradient", y, bytes_of(layout));
        say("    scale's gradient", scales, sizeof scales);
        say("    shift's gradient", shifts, sizeof shifts);
        if (batch) quintet_affine_norm_running(&norm, statistics, 0.1, running, variance);
    }
    say("    slope's gradient", &slope_gradient, sizeof slope_gradient);
    say("    running mean", running, sizeof(float) * layout.channels);
    say("    running variance", variance, sizeof variance);
}

static void resamplings(quintet_pool *pool, quintet_resampling r) {
    float *fine = tensor(pool, r.fine, 38), *coarse = tensor(pool, r.coarse, 39);
    float *to_fine = memory(quintet_layout_floats(r.fine)), *to_coarse = memory(quintet_layout_floats(r.coarse));
    for (int kind = QUINTET_MAXIMUM; kind <= QUINTET_AVERAGE; kind++) {
        quintet_pooling(pool, &r, kind, fine, to_coarse);
        say("pooling", to_coarse, bytes_of(r.coarse));
        quintet_pooling_gradient(pool, &r, kind, fine, coarse, to_fine, 0);
        say("    gradient", to_fine, bytes_of(r.fine));
    }
    for (int kind = QUINTET_NEAREST; kind <= QUINTET_LINEAR_CORNERS; kind++) {
        quintet_upsampling(pool, &r, kind, coarse, to_fine);
        say("up-sampling", to_fine, bytes_of(r.fine));
        quintet_upsampling_gradient(pool, &r, kind, fine, to_coarse, 0);
        say("    gradient", to_coarse, bytes_of(r.coarse));
    }
}

static void focal(quintet_pool *pool, quintet_layout layout) {
    size_t voxels = (size_t)layout.depth * layout.height * layout.width;
    float *x = tensor(pool, layout, 40), *y = memory(quintet_layout_floats(layout)), *classes = numbers(voxels, 41);
    uint8_t *target = malloc(voxels);
    for (size_t i = 0; i < voxels; i++) target[i] = classes[i] > 0.3f;
    for (int power = 0; power < 2; power++) {
        quintet_focal own = {power ? 1.5 : 2, 1e-5, NULL};
        quintet_loss_figures figures = {0};
        quintet_focal_loss(pool, layout, x, target, &own, 0.5, y, &figures);
        say("focal loss", &figures, sizeof figures);
        say("    gradient", y, bytes_of(layout));
    }
    free(target);
}

static void dense(quintet_pool *pool, quintet_dense own) {
    size_t weights_count = (size_t)own.inputs * own.outputs, y_count = (size_t)own.samples * own.outputs;
    size_t x_count = (size_t)own.samples * own.inputs;
    float *x = numbers(x_count, 42), *weights = numbers(weights_count, 43), *bias = numbers(own.outputs, 44);
    float *g = numbers(y_count, 45), *y = memory(y_count), *dx = memory(x_count), *dw = memory(weights_count);
    quintet_dense_forward(pool, &own, x, weights, bias, y);
    say("dense", y, y_count * sizeof(float));
    quintet_dense_input_gradient(pool, &own, weights, g, dx);
    say("    gradient", dx, x_count * sizeof(float));
    quintet_dense_weight_gradient(pool, &own, x, g, dw);
    say("    weight gradient", dw, weights_count * sizeof(float));
    quintet_dense_bias_gradient(pool, &own, g, bias);
    say("    bias gradient", bias, own.outputs * sizeof(float));
}

static void layers(quintet_pool *pool) {
    static const quintet_layout layouts[] = {
        {20, 3, 5, 7, 0, 0, 0, 0}, {2, 4, 13, 37, 1, 0, 0, 0}, {36, 3, 75, 70, 0, 0, 0, 1}, {4, 2, 9, 50, 1, 0, 0, 1},
    };
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        quintet_layout layout = layouts[i], fine = layout;
        int factor = layout.flat ? 1 : 2;
        fine.depth *= factor, fine.height *= 2, fine.width *= 2;
        elements(pool, layout);
        affine_norms(pool, layout, 2);
        resamplings(pool, (quintet_resampling){fine, layout, factor, 2, 2});
        focal(pool, layout);
    }
    dense(pool, (quintet_dense){5, 1100, 37});
    dense(pool, (quintet_dense){70, 130, 17});
}

int main(int count, char **arguments) {
    if (count > 1) quintet_variant_prefer(atoi(arguments[1]), 0);
    quintet_pool *pool = quintet_pool_create(2);
    static const shape shapes[] = {
        {16, 16, 3, 1, 6, 17, 30, 0, 0, 0, 0}, {33, 20, 3, 1, 7, 14, 27, 0, 0, 0, 0},
        {48, 64, 3, 1, 4, 20, 33, 0, 0, 0, 0}, {40, 70, 3, 1, 2, 15, 14, 0, 0, 0, 0},
        {5, 23, 3, 1, 2, 3, 13, 0, 0, 0, 0}, {16, 40, 1, 1, 2, 3, 7, 0, 0, 0, 0}, {16, 32, 3, 2, 2, 3, 7, 0, 0, 0, 0},
        {21, 24, 3, 2, 7, 14, 27, 0, 0, 0, 0}, {16, 80, 3, 2, 2, 7, 8, 0, 0, 0, 0},
        {1, 16, 3, 2, 4, 18, 40, 1, 0, 0, 0}, {2, 33, 3, 2, 5, 9, 35, 1, 0, 0, 0}, {1, 20, 3, 1, 2, 5, 7, 1, 0, 0, 0},
        {2, 2, 3, 1, 3, 18, 90, 1, 1, 0, 0}, {4, 3, 3, 1, 2, 2, 3, 1, 1, 0, 0}, {6, 7, 3, 3, 2, 2, 3, 0, 0, 0, 0},
        // Batches of 2D samples: tiles, points, direct, kernels of one and of two, planar sides, plain loops.
        {33, 20, 3, 1, 3, 21, 30, 0, 0, 1, 0}, {33, 20, 3, 1, 3, 21, 30, 0, 0, 1, 1},
        {97, 100, 3, 1, 2, 13, 17, 0, 0, 1, 1}, {6, 7, 5, 1, 2, 6, 7, 0, 0, 1, 0},
        {20, 40, 3, 1, 2, 3, 5, 0, 0, 1, 1}, {40, 20, 1, 1, 2, 7, 19, 0, 0, 1, 0}, {20, 40, 2, 2, 3, 5, 14, 0, 0, 1, 0},
        {2, 40, 3, 1, 3, 18, 35, 1, 0, 1, 1}, {40, 2, 1, 1, 3, 18, 35, 0, 1, 1, 0}, {20, 3, 3, 1, 2, 9, 21, 0, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) convolution(pool, shapes[i]);
    norms_and_loss(pool, (quintet_layout){20, 3, 5, 7, 0, 0, 0, 0});
    norms_and_loss(pool, (quintet_layout){2, 4, 13, 37, 1, 0, 0, 0});
    norms_and_loss(pool, (quintet_layout){20, 3, 5, 7, 0, 0, 0, 1});
    standardised(pool);
    adam(pool);
    elementary();
    rows();
    layers(pool);
    quintet_pool_destroy(pool);
}
