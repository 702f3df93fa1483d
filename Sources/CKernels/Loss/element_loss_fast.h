// Losses of each value by itself: absolute and square errors, and a Gaussian's divergence from the standard one.
// Included once per instruction set.
#ifndef QUINTET_ELEMENT_LOSS_FAST_H
#define QUINTET_ELEMENT_LOSS_FAST_H

typedef struct {
    quintet_elements elements;
    // Prediction and target, or mean and logarithm of the variance; and their gradients, NULL: nobody asks.
    const float *x, *other;
    float *x_gradient, *other_gradient;
    float factor;
    int square;
    // [task][16]
    double *sums;
} element_loss_job;

static void element_error_task(void *context, int index) {
    const element_loss_job *job = context;
    layer_span span = layer_span_of(job->elements, index);
    d16 sum = 0;
    for (int row = 0; row < span.rows; row++) {
        long at = span.first + row * span.step;
        // Float within a row, double between rows.
        v16 of_row = SPLAT(0);
        for (long i = 0; i < span.count; i += 16) {
            v16 error = load_some(job->x + at + i, span.count - i) - load_some(job->other + at + i, span.count - i), g;
            if (job->square) {
                of_row = FMA(error, error, of_row);
                g = 2.0f * error * job->factor;
            } else {
                // An error that is not a number stays so in the sum.
                of_row += SELECT(error < 0, -error, error);
                g = SELECT(error < 0, SPLAT(-job->factor), SELECT(error > 0, SPLAT(job->factor), SPLAT(0)));
            }
            if (job->x_gradient) store_some(job->x_gradient + at + i, span.count - i, g);
        }
        sum += WIDEN(of_row);
    }
    memcpy(job->sums + (long)index * 16, &sum, sizeof sum);
}

static double fast_element_error(quintet_pool *pool, quintet_elements elements, int square, const float *x,
                                 const float *target, double factor, float *gradient) {
    int tasks = layer_element_tasks(elements);
    double *sums = call_sums((size_t)tasks * 16);
    element_loss_job job = {elements, x, target, gradient, NULL, (float)factor, square, sums};
    quintet_pool_run(pool, tasks, element_error_task, &job);
    return sum_of_tasks(tasks, 1, 0, sums);
}

static void gaussian_divergence_task(void *context, int index) {
    const element_loss_job *job = context;
    layer_span span = layer_span_of(job->elements, index);
    d16 sum = 0;
    for (int row = 0; row < span.rows; row++) {
        long at = span.first + row * span.step;
        v16 of_row = SPLAT(0);
        for (long i = 0; i < span.count; i += 16) {
            v16 mean = load_some(job->x + at + i, span.count - i), log = load_some(job->other + at + i, span.count - i);
            v16 variance = exp_any(log);
            of_row += FMA(mean, mean, variance - 1.0f - log);
            if (!job->x_gradient) continue;
            store_some(job->x_gradient + at + i, span.count - i, mean * job->factor);
            store_some(job->other_gradient + at + i, span.count - i, (variance - 1.0f) * 0.5f * job->factor);
        }
        sum += WIDEN(of_row);
    }
    memcpy(job->sums + (long)index * 16, &sum, sizeof sum);
}

static double fast_gaussian_divergence(quintet_pool *pool, quintet_elements elements, const float *mean,
                                       const float *log_variance, double factor, float *mean_gradient,
                                       float *log_variance_gradient) {
    int tasks = layer_element_tasks(elements);
    double *sums = call_sums((size_t)tasks * 16);
    element_loss_job job = {elements, mean, log_variance, mean_gradient, log_variance_gradient, (float)factor, 0, sums};
    quintet_pool_run(pool, tasks, gaussian_divergence_task, &job);
    return 0.5 * sum_of_tasks(tasks, 1, 0, sums);
}
#endif
