// Activations and their derivatives, 16 values at a time: as operations of their own, and as what norms do on the way
// (affine_norm_fast.h). Included once per instruction set.
#ifndef QUINTET_ACTIVATION_FAST_H
#define QUINTET_ACTIVATION_FAST_H

// From exp(-|x|), which cannot overflow.
INLINE v16 sigmoid(v16 x) {
    v16 e = exp_negative(SELECT(x > 0, -x, x)), above = 1.0f / (1.0f + e);
    return SELECT(x > 0, above, e * above);
}

// Of Swish: 0 where QUINTET_SWISH_END says so.
INLINE v16 swish_sigmoid(v16 x) { return SELECT(x < -QUINTET_SWISH_END, SPLAT(0), sigmoid(x)); }

// A value that is not a number stays so: x <= 0 is false for it.
INLINE v16 activated(quintet_activation activation, v16 x) {
    switch (activation.kind) {
    case QUINTET_RELU: return SELECT(x <= 0, SPLAT(0), x);
    case QUINTET_LEAKY_RELU: case QUINTET_PRELU: return SELECT(x > 0, x, x * activation.slope);
    case QUINTET_SWISH: return x * swish_sigmoid(x);
    default: return x;
    }
}

// g times the derivative at x.
INLINE v16 activation_gradient(quintet_activation activation, v16 x, v16 g) {
    v16 s;
    switch (activation.kind) {
    case QUINTET_RELU: return SELECT(x > 0, g, SPLAT(0));
    case QUINTET_LEAKY_RELU: case QUINTET_PRELU: return SELECT(x > 0, g, g * activation.slope);
    case QUINTET_SWISH:
        s = swish_sigmoid(x);
        return g * FMA(s * x, 1.0f - s, s);
    default: return g;
    }
}

typedef struct {
    quintet_elements elements;
    quintet_activation activation;
    const float *x, *y_gradient;
    float *to;
    // [task][16]: of the slope's gradient; NULL: nobody asks.
    double *sums;
} activation_job;

static void activation_task(void *context, int index) {
    const activation_job *job = context;
    layer_span span = layer_span_of(job->elements, index);
    for (int row = 0; row < span.rows; row++)
        for (long i = 0, at = span.first + row * span.step; i < span.count; i += 16)
            store_some(job->to + at + i, span.count - i,
                       activated(job->activation, load_some(job->x + at + i, span.count - i)));
}

static void fast_activate(quintet_pool *pool, quintet_elements elements, quintet_activation activation, const float *x,
                          float *y) {
    activation_job job = {.elements = elements, .activation = activation, .x = x, .to = y};
    quintet_pool_run(pool, layer_element_tasks(elements), activation_task, &job);
}

static void activation_gradient_task(void *context, int index) {
    const activation_job *job = context;
    layer_span span = layer_span_of(job->elements, index);
    d16 slopes = 0;
    for (int row = 0; row < span.rows; row++) {
        long at = span.first + row * span.step;
        // Float within a row, double between rows.
        v16 of_row = SPLAT(0);
        for (long i = 0; i < span.count; i += 16) {
            v16 x = load_some(job->x + at + i, span.count - i), g = load_some(job->y_gradient + at + i, span.count - i);
            if (job->sums) of_row = FMA(g, SELECT(x > 0, SPLAT(0), x), of_row);
            store_some(job->to + at + i, span.count - i, activation_gradient(job->activation, x, g));
        }
        slopes += WIDEN(of_row);
    }
    if (job->sums) memcpy(job->sums + (long)index * 16, &slopes, sizeof slopes);
}

static double fast_activate_gradient(quintet_pool *pool, quintet_elements elements, quintet_activation activation,
                                     const float *x, const float *y_gradient, float *x_gradient) {
    int tasks = layer_element_tasks(elements), summed = activation.kind == QUINTET_PRELU;
    double *sums = summed ? call_sums((size_t)tasks * 16) : NULL;
    activation_job job = {elements, activation, x, y_gradient, x_gradient, sums};
    quintet_pool_run(pool, tasks, activation_gradient_task, &job);
    return summed ? sum_of_tasks(tasks, 1, 0, sums) : 0;
}
#endif
