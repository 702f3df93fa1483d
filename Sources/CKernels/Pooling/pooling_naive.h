// Pooling and nearest neighbours by their definitions. Internal to layer_variant_naive.c.
#ifndef QUINTET_POOLING_NAIVE_H
#define QUINTET_POOLING_NAIVE_H

static int children_count(const quintet_resampling *resampling) {
    return resampling->depth_factor * resampling->height_factor * resampling->width_factor;
}
// Child number k of a coarse voxel, in row order.
static long child_at(const quintet_resampling *resampling, int c, int d, int h, int w, int k) {
    int fh = resampling->height_factor, fw = resampling->width_factor;
    return quintet_element(resampling->fine, c, d * resampling->depth_factor + k / (fh * fw), h * fh + k / fw % fh,
                           w * fw + k % fw);
}

static int largest_child(const quintet_resampling *resampling, const float *x, int c, int d, int h, int w) {
    int best = 0;
    for (int k = 1; k < children_count(resampling); k++) {
        float own = x[child_at(resampling, c, d, h, w, k)];
        if (own > x[child_at(resampling, c, d, h, w, best)] || own != own) best = k;
    }
    return best;
}

static void naive_pool_maximum(quintet_pool *pool, const quintet_resampling *resampling, const float *x, float *y) {
    (void)pool;
    for (int c = 0; c < resampling->coarse.channels; c++)
        EACH_VOXEL(resampling->coarse) {
            int best = largest_child(resampling, x, c, d, h, w);
            y[quintet_element(resampling->coarse, c, d, h, w)] = x[child_at(resampling, c, d, h, w, best)];
        }
}

static void clear_tensor(quintet_layout layout, float *x) {
    quintet_elements elements = {layout, 0};
    EACH_ELEMENT(elements, i, at) x[at] = 0;
}

static void naive_pool_maximum_gradient(quintet_pool *pool, const quintet_resampling *resampling, const float *x,
                                        const float *y_gradient, float *x_gradient, int accumulate) {
    (void)pool;
    if (!accumulate) clear_tensor(resampling->fine, x_gradient);
    for (int c = 0; c < resampling->coarse.channels; c++)
        EACH_VOXEL(resampling->coarse) {
            int best = largest_child(resampling, x, c, d, h, w);
            x_gradient[child_at(resampling, c, d, h, w, best)] +=
                y_gradient[quintet_element(resampling->coarse, c, d, h, w)];
        }
}

static void naive_sum_fine(quintet_pool *pool, const quintet_resampling *resampling, float share, const float *x,
                           float *y, int accumulate) {
    (void)pool;
    for (int c = 0; c < resampling->coarse.channels; c++)
        EACH_VOXEL(resampling->coarse) {
            float *to = y + quintet_element(resampling->coarse, c, d, h, w);
            double sum = 0;
            for (int k = 0; k < children_count(resampling); k++) sum += x[child_at(resampling, c, d, h, w, k)];
            *to = (float)((accumulate ? *to : 0) + sum * share);
        }
}

static void naive_spread_coarse(quintet_pool *pool, const quintet_resampling *resampling, float share, const float *y,
                                float *x, int accumulate) {
    (void)pool;
    if (!accumulate) clear_tensor(resampling->fine, x);
    for (int c = 0; c < resampling->coarse.channels; c++)
        EACH_VOXEL(resampling->coarse)
            for (int k = 0; k < children_count(resampling); k++)
                x[child_at(resampling, c, d, h, w, k)] +=
                    share * y[quintet_element(resampling->coarse, c, d, h, w)];
}
#endif
