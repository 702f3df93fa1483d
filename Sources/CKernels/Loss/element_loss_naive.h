// Losses of each value by itself, by their definitions. Internal to layer_variant_naive.c.
#ifndef QUINTET_ELEMENT_LOSS_NAIVE_H
#define QUINTET_ELEMENT_LOSS_NAIVE_H

static double naive_element_error(quintet_pool *pool, quintet_elements elements, int square, const float *x,
                                  const float *target, double factor, float *gradient) {
    (void)pool;
    double sum = 0;
    EACH_ELEMENT(elements, i, at) {
        double error = (double)x[at] - target[at];
        sum += square ? error * error : fabs(error);
        if (gradient) gradient[at] = (float)(factor * (square ? 2 * error : (error > 0) - (error < 0)));
    }
    return sum;
}

static double naive_gaussian_divergence(quintet_pool *pool, quintet_elements elements, const float *mean,
                                        const float *log_variance, double factor, float *mean_gradient,
                                        float *log_variance_gradient) {
    (void)pool;
    double sum = 0;
    EACH_ELEMENT(elements, i, at) {
        double variance = exp(log_variance[at]), own = mean[at];
        sum += 0.5 * (own * own + variance - 1 - log_variance[at]);
        if (mean_gradient) mean_gradient[at] = (float)(factor * own);
        if (log_variance_gradient) log_variance_gradient[at] = (float)(factor * 0.5 * (variance - 1));
    }
    return sum;
}
#endif
