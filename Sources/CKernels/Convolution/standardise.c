// Weight standardisation and its gradient: a row is one output channel's weights. Everything is summed up in double,
// in eight sums side by side that are added up in a fixed order, and rounded once.
#include <math.h>
#include "quintet_network.h"

enum { SIDE_BY_SIDE = 8 };
// As WNConv2d of the liver paper's program has it.
static const double epsilon = 1e-5;

typedef struct {
    int32_t count;
    const float *weights, *gradient;
    float *to;
} standardise_job;

static double sum_up(const double *sums) {
    double sum = 0;
    for (int i = 0; i < SIDE_BY_SIDE; i++) sum += sums[i];
    return sum;
}

static double mean_of(const float *x, int count) {
    double sums[SIDE_BY_SIDE] = {0};
    for (int i = 0; i < count; i++) sums[i % SIDE_BY_SIDE] += x[i];
    return sum_up(sums) / count;
}

// Sum of (x - mean) * y, or of (x - mean) squared without y.
static double product_of(const float *x, double mean, const float *y, int count) {
    double sums[SIDE_BY_SIDE] = {0};
    for (int i = 0; i < count; i++) {
        double u = x[i] - mean;
        sums[i % SIDE_BY_SIDE] += u * (y ? y[i] : u);
    }
    return sum_up(sums);
}

static void standardise_task(void *context, int index) {
    const standardise_job *job = context;
    const int count = job->count;
    const float *w = job->weights + (long)index * count;
    float *to = job->to + (long)index * count;
    double mean = mean_of(w, count), deviation = sqrt(product_of(w, mean, NULL, count) / (count - 1));
    for (int i = 0; i < count; i++) to[i] = (float)((w[i] - mean) / (deviation + epsilon));
}

void quintet_standardise_weights(quintet_pool *pool, int32_t rows, int32_t count, const float *weights,
                                 float *standardised) {
    standardise_job job = {count, weights, NULL, standardised};
    quintet_pool_run(pool, rows, standardise_task, &job);
}

// With u = w - mean, s the deviation and e = s + epsilon:
//     dw = (g - mean of g) / e - u * (sum of g u) / (e^2 s (n - 1)).
// Weights that are all the same have no deviation that could change with them.
static void standardise_gradient_task(void *context, int index) {
    const standardise_job *job = context;
    const int count = job->count;
    const float *w = job->weights + (long)index * count, *g = job->gradient + (long)index * count;
    float *to = job->to + (long)index * count;
    double mean = mean_of(w, count), slope = mean_of(g, count);
    double deviation = sqrt(product_of(w, mean, NULL, count) / (count - 1)), whole = deviation + epsilon;
    double share = deviation > 0 ? product_of(w, mean, g, count) / (whole * whole * deviation * (count - 1)) : 0;
    for (int i = 0; i < count; i++) to[i] += (float)((g[i] - slope) / whole - (w[i] - mean) * share);
}

void quintet_standardise_weights_gradient(quintet_pool *pool, int32_t rows, int32_t count, const float *weights,
                                          const float *standardised_gradient, float *gradient) {
    standardise_job job = {count, weights, standardised_gradient, gradient};
    quintet_pool_run(pool, rows, standardise_gradient_task, &job);
}
