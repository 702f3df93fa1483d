// Dense layers by their definition. Internal to layer_variant_naive.c.
#ifndef QUINTET_DENSE_NAIVE_H
#define QUINTET_DENSE_NAIVE_H

static void naive_dense_forward(quintet_pool *pool, const quintet_dense *dense, const float *x, const float *weights,
                                const float *bias, float *y) {
    (void)pool;
    for (long n = 0; n < dense->samples; n++)
        for (long o = 0; o < dense->outputs; o++) {
            double sum = bias ? bias[o] : 0;
            for (long i = 0; i < dense->inputs; i++)
                sum += (double)x[n * dense->inputs + i] * weights[o * dense->inputs + i];
            y[n * dense->outputs + o] = (float)sum;
        }
}

static void naive_dense_input_gradient(quintet_pool *pool, const quintet_dense *dense, const float *weights,
                                       const float *y_gradient, float *x_gradient) {
    (void)pool;
    for (long n = 0; n < dense->samples; n++)
        for (long i = 0; i < dense->inputs; i++) {
            double sum = 0;
            for (long o = 0; o < dense->outputs; o++)
                sum += (double)y_gradient[n * dense->outputs + o] * weights[o * dense->inputs + i];
            x_gradient[n * dense->inputs + i] = (float)sum;
        }
}

static void naive_dense_weight_gradient(quintet_pool *pool, const quintet_dense *dense, const float *x,
                                        const float *y_gradient, float *weight_gradient) {
    (void)pool;
    for (long o = 0; o < dense->outputs; o++)
        for (long i = 0; i < dense->inputs; i++) {
            double sum = 0;
            for (long n = 0; n < dense->samples; n++)
                sum += (double)y_gradient[n * dense->outputs + o] * x[n * dense->inputs + i];
            weight_gradient[o * dense->inputs + i] += (float)sum;
        }
}

static void naive_dense_bias_gradient(quintet_pool *pool, const quintet_dense *dense, const float *y_gradient,
                                      float *bias_gradient) {
    (void)pool;
    for (long o = 0; o < dense->outputs; o++) {
        double sum = 0;
        for (long n = 0; n < dense->samples; n++) sum += y_gradient[n * dense->outputs + o];
        bias_gradient[o] += (float)sum;
    }
}
#endif
