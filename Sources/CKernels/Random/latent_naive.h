// The sampling of a Gaussian latent by its definition. Internal to layer_variant_naive.c.
#ifndef QUINTET_LATENT_NAIVE_H
#define QUINTET_LATENT_NAIVE_H

static void naive_gaussian_sample(quintet_pool *pool, quintet_elements elements, const float *mean,
                                  const float *log_variance, const float *noise, float *z) {
    (void)pool;
    EACH_ELEMENT(elements, i, at) z[at] = (float)(mean[at] + exp(log_variance[at] / 2.0) * noise[at]);
}

static void naive_gaussian_sample_gradient(quintet_pool *pool, quintet_elements elements, const float *log_variance,
                                           const float *noise, const float *z_gradient, float *mean_gradient,
                                           float *log_variance_gradient, int accumulate) {
    (void)pool;
    EACH_ELEMENT(elements, i, at) {
        double g = z_gradient[at], second = g * noise[at] * exp(log_variance[at] / 2.0) / 2;
        mean_gradient[at] = (float)(g + (accumulate ? mean_gradient[at] : 0));
        log_variance_gradient[at] = (float)(second + (accumulate ? log_variance_gradient[at] : 0));
    }
}
#endif
