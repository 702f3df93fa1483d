// Linear up-sampling by its definition; its gradient hands each fine voxel's to the coarse ones it was made of.
// Internal to layer_variant_naive.c.
#ifndef QUINTET_UPSAMPLING_NAIVE_H
#define QUINTET_UPSAMPLING_NAIVE_H

// How much coarse place i has in fine place o of an axis.
static double linear_weight(int i, int o, int coarse, int fine, int corners) {
    if (coarse == fine) return i == o;
    double at = corners ? (double)((long)o * (coarse - 1)) / (fine - 1) : (o + 0.5) * coarse / fine - 0.5;
    // Beyond the outermost centres lies what is there.
    at = fmin(fmax(at, 0), coarse - 1);
    return fmax(0, 1 - fabs(at - i));
}
// The first of three coarse places that may have a part in a fine one.
static int first_near(int o, int coarse, int fine) {
    int place = (int)((long)o * coarse / fine) - 1;
    return place < 0 ? 0 : place;
}

#define EACH_NEAR(i, o, coarse, fine) \
    for (int i = first_near(o, coarse, fine), last = i + 3 < (coarse) ? i + 3 : (coarse); i < last; i++)

static void naive_upsample_linear(quintet_pool *pool, const quintet_resampling *resampling, int corners, const float *x,
                                  float *y) {
    (void)pool;
    quintet_layout fine = resampling->fine, coarse = resampling->coarse;
    for (int c = 0; c < fine.channels; c++)
        EACH_VOXEL(fine) {
            double sum = 0;
            EACH_NEAR(i, d, coarse.depth, fine.depth)
                EACH_NEAR(j, h, coarse.height, fine.height)
                    EACH_NEAR(k, w, coarse.width, fine.width)
                        sum += linear_weight(i, d, coarse.depth, fine.depth, corners)
                               * linear_weight(j, h, coarse.height, fine.height, corners)
                               * linear_weight(k, w, coarse.width, fine.width, corners)
                               * x[quintet_element(coarse, c, i, j, k)];
            y[quintet_element(fine, c, d, h, w)] = (float)sum;
        }
}

static void naive_upsample_linear_gradient(quintet_pool *pool, const quintet_resampling *resampling, int corners,
                                           const float *y_gradient, float *x_gradient, int accumulate) {
    (void)pool;
    quintet_layout fine = resampling->fine, coarse = resampling->coarse;
    size_t voxels = (size_t)coarse.depth * coarse.height * coarse.width;
    double *sums = (double *)quintet_call_scratch(2 * voxels);
    for (int c = 0; c < fine.channels; c++) {
        memset(sums, 0, voxels * sizeof(double));
        EACH_VOXEL(fine)
            EACH_NEAR(i, d, coarse.depth, fine.depth)
                EACH_NEAR(j, h, coarse.height, fine.height)
                    EACH_NEAR(k, w, coarse.width, fine.width)
                        sums[((long)i * coarse.height + j) * coarse.width + k] +=
                            linear_weight(i, d, coarse.depth, fine.depth, corners)
                            * linear_weight(j, h, coarse.height, fine.height, corners)
                            * linear_weight(k, w, coarse.width, fine.width, corners)
                            * y_gradient[quintet_element(fine, c, d, h, w)];
        const double *own = sums;
        EACH_VOXEL(coarse) {
            float *to = x_gradient + quintet_element(coarse, c, d, h, w);
            *to = (float)((accumulate ? *to : 0) + *own++);
        }
    }
}
#endif
