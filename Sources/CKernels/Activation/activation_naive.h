// Activations and their derivatives by their definitions. Internal to layer_variant_naive.c.
#ifndef QUINTET_ACTIVATION_NAIVE_H
#define QUINTET_ACTIVATION_NAIVE_H

// Of Swish: 0 where QUINTET_SWISH_END says so.
static double swish_sigmoid(double x) { return x < -QUINTET_SWISH_END ? 0 : 1 / (1 + exp(-x)); }

static double activated(quintet_activation activation, double x) {
    switch (activation.kind) {
    case QUINTET_RELU: return x <= 0 ? 0 : x;
    case QUINTET_LEAKY_RELU: case QUINTET_PRELU: return x > 0 ? x : x * activation.slope;
    case QUINTET_SWISH: return x * swish_sigmoid(x);
    default: return x;
    }
}

static double activation_derivative(quintet_activation activation, double x) {
    double sigmoid;
    switch (activation.kind) {
    case QUINTET_RELU: return x > 0;
    case QUINTET_LEAKY_RELU: case QUINTET_PRELU: return x > 0 ? 1 : activation.slope;
    case QUINTET_SWISH:
        sigmoid = swish_sigmoid(x);
        return sigmoid + x * sigmoid * (1 - sigmoid);
    default: return 1;
    }
}

static void naive_activate(quintet_pool *pool, quintet_elements elements, quintet_activation activation,
                           const float *x, float *y) {
    (void)pool;
    EACH_ELEMENT(elements, i, at) y[at] = (float)activated(activation, x[at]);
}

static double naive_activate_gradient(quintet_pool *pool, quintet_elements elements, quintet_activation activation,
                                      const float *x, const float *y_gradient, float *x_gradient) {
    (void)pool;
    double slope_gradient = 0;
    EACH_ELEMENT(elements, i, at) {
        double g = y_gradient[at];
        if (!(x[at] > 0)) slope_gradient += g * x[at];
        x_gradient[at] = (float)(g * activation_derivative(activation, x[at]));
    }
    return slope_gradient;
}
#endif
