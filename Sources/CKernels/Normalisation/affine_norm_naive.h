// Group and batch norm by their definitions, one set of statistics after the other. Internal to layer_variant_naive.c.
#ifndef QUINTET_AFFINE_NORM_NAIVE_H
#define QUINTET_AFFINE_NORM_NAIVE_H

// The planes and channels that share their statistics.
typedef struct { int first_plane, end_plane, first, end, sample; double count; } norm_set;

static int sets_of(const quintet_affine_norm *norm) {
    return norm->groups * (norm->batch ? 1 : layer_samples(norm->layout));
}
static norm_set set_of(const quintet_affine_norm *norm, int index) {
    quintet_layout layout = norm->layout;
    int planes = norm->batch || !layout.flat ? layout.depth : 1, in_group = layout.channels / norm->groups;
    int sample = index / norm->groups, first = index % norm->groups * in_group;
    return (norm_set){sample * planes, (sample + 1) * planes, first, first + in_group, sample,
                      (double)planes * layout.height * layout.width * in_group};
}

// Every voxel of a set: its channel and where it lies.
#define EACH_OF_SET(layout, set, c, at) \
    for (int c = (set).first; c < (set).end; c++) \
        for (int d = (set).first_plane; d < (set).end_plane; d++) \
            for (int h = 0; h < (layout).height; h++) \
                for (long w = 0, at = quintet_element(layout, c, d, h, 0); w < (layout).width; \
                     w++, at += layer_lanes(layout))

static void naive_affine_norm_statistics(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                         float *statistics) {
    (void)pool;
    quintet_layout layout = norm->layout;
    for (int i = 0; i < sets_of(norm); i++) {
        norm_set set = set_of(norm, i);
        double mean = 0, square = 0;
        EACH_OF_SET(layout, set, c, at) mean += activated(norm->before, x[at]) / set.count;
        EACH_OF_SET(layout, set, c, at) {
            double distance = activated(norm->before, x[at]) - mean;
            square += distance * distance;
        }
        float *own = statistics + (long)set.sample * 2 * layer_places(layout);
        for (int c = set.first; c < set.end; c++) {
            own[layer_place(layout, c)] = (float)mean;
            own[layer_places(layout) + layer_place(layout, c)] = (float)(1 / sqrt(square / set.count + 1e-5));
        }
    }
}

// A set's statistics; every channel of it has the same.
static double statistic_of(const quintet_affine_norm *norm, const float *statistics, int which, norm_set set) {
    int places = layer_places(norm->layout);
    return statistics[((long)set.sample * 2 + which) * places + layer_place(norm->layout, set.first)];
}

// Statistics of a running batch norm, or of a convolution, are each channel's own, as its groups are.
static void naive_affine_norm_forward(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                      const float *statistics, const float *scale, const float *shift, float *y) {
    (void)pool;
    for (int i = 0; i < sets_of(norm); i++) {
        norm_set set = set_of(norm, i);
        double mean = statistic_of(norm, statistics, 0, set), inverse = statistic_of(norm, statistics, 1, set);
        EACH_OF_SET(norm->layout, set, c, at) {
            double u = (activated(norm->before, x[at]) - mean) * inverse;
            y[at] = (float)activated(norm->after, u * (scale ? scale[c] : 1) + (shift ? shift[c] : 0));
        }
    }
}

static double naive_affine_norm_gradient(quintet_pool *pool, const quintet_affine_norm *norm, const float *x,
                                         const float *statistics, const float *scale, const float *shift,
                                         const float *y_gradient, float *x_gradient, float *scale_gradient,
                                         float *shift_gradient) {
    (void)pool;
    double slope_gradient = 0;
    double *sums = (double *)quintet_call_scratch(4 * (size_t)norm->layout.channels);
    memset(sums, 0, sizeof(double) * 2 * norm->layout.channels);
    for (int i = 0; i < sets_of(norm); i++) {
        norm_set set = set_of(norm, i);
        double mean = statistic_of(norm, statistics, 0, set), inverse = statistic_of(norm, statistics, 1, set);
        double sum = 0, product = 0;
        for (int pass = 0; pass < 2; pass++)
            EACH_OF_SET(norm->layout, set, c, at) {
                double u = (activated(norm->before, x[at]) - mean) * inverse, own = scale ? scale[c] : 1;
                double v = u * own + (shift ? shift[c] : 0), g = y_gradient[at];
                if (pass == 0 && !(v > 0)) slope_gradient += g * v;
                g *= activation_derivative(norm->after, v);
                if (pass == 0) {
                    sum += own * g, product += own * g * u;
                    sums[2 * c] += g * u, sums[2 * c + 1] += g;
                } else {
                    g = inverse * (own * g - sum / set.count - u * product / set.count);
                    x_gradient[at] = (float)(g * activation_derivative(norm->before, x[at]));
                }
            }
    }
    for (int c = 0; c < norm->layout.channels; c++) {
        if (scale_gradient) scale_gradient[c] += (float)sums[2 * c];
        if (shift_gradient) shift_gradient[c] += (float)sums[2 * c + 1];
    }
    return slope_gradient;
}
#endif
