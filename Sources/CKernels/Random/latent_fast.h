// The sampling of a Gaussian latent from given noise, and its gradient. Included once per instruction set.
#ifndef QUINTET_LATENT_FAST_H
#define QUINTET_LATENT_FAST_H

typedef struct {
    quintet_elements elements;
    const float *mean, *log_variance, *noise;
    // z, or the gradients of mean and log_variance.
    float *to, *second;
    const float *z_gradient;
    int accumulate;
} latent_job;

static void latent_task(void *context, int index) {
    const latent_job *job = context;
    layer_span span = layer_span_of(job->elements, index);
    for (int row = 0; row < span.rows; row++)
        for (long i = 0, at = span.first + row * span.step; i < span.count; i += 16) {
            long left = span.count - i;
            v16 deviation = exp_any(load_some(job->log_variance + at + i, left) * 0.5f);
            store_some(job->to + at + i, left, FMA(deviation, load_some(job->noise + at + i, left),
                                                   load_some(job->mean + at + i, left)));
        }
}

static void fast_gaussian_sample(quintet_pool *pool, quintet_elements elements, const float *mean,
                                 const float *log_variance, const float *noise, float *z) {
    latent_job job = {.elements = elements, .mean = mean, .log_variance = log_variance, .noise = noise, .to = z};
    quintet_pool_run(pool, layer_element_tasks(elements), latent_task, &job);
}

static void latent_gradient_task(void *context, int index) {
    const latent_job *job = context;
    layer_span span = layer_span_of(job->elements, index);
    for (int row = 0; row < span.rows; row++)
        for (long i = 0, at = span.first + row * span.step; i < span.count; i += 16) {
            long left = span.count - i;
            v16 g = load_some(job->z_gradient + at + i, left);
            v16 half = exp_any(load_some(job->log_variance + at + i, left) * 0.5f) * 0.5f;
            v16 second = g * load_some(job->noise + at + i, left) * half;
            if (job->accumulate) {
                g += load_some(job->to + at + i, left);
                second += load_some(job->second + at + i, left);
            }
            store_some(job->to + at + i, left, g);
            store_some(job->second + at + i, left, second);
        }
}

static void fast_gaussian_sample_gradient(quintet_pool *pool, quintet_elements elements, const float *log_variance,
                                          const float *noise, const float *z_gradient, float *mean_gradient,
                                          float *log_variance_gradient, int accumulate) {
    latent_job job = {elements,   NULL,      log_variance, noise, mean_gradient, log_variance_gradient,
                      z_gradient, accumulate};
    quintet_pool_run(pool, layer_element_tasks(elements), latent_gradient_task, &job);
}
#endif
