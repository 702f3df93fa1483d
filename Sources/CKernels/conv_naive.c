// The judge of the fast kernels: the definitions, as plain loops that add in double. Also the path for shapes that no
// fast kernel takes (strides above 2). Each element of a result is one task's alone, so threads change no bit.
#include <math.h>
#include <string.h>
#include "conv_layout.h"

typedef struct {
    const quintet_convolution *convolution;
    const float *in, *other, *w, *bias;
    float *out;
    int accumulate;
} naive_job;

#define EACH_VOXEL(layout) \
    for (int d = 0; d < (layout).depth; d++) \
        for (int h = 0; h < (layout).height; h++) \
            for (int w = 0; w < (layout).width; w++)

static double voxels_of(quintet_layout layout) { return (double)layout.depth * layout.height * layout.width; }
static int padded_channels(quintet_layout layout) {
    return layout.planar ? layout.channels : quintet_blocks(layout) * 16;
}

static void naive_norm_statistics(quintet_pool *pool, quintet_layout layout, const float *x, double *scratch,
                                  float *statistics) {
    (void)pool, (void)scratch;
    memset(statistics, 0, sizeof(float) * 2 * padded_channels(layout));
    for (int c = 0; c < layout.channels; c++) {
        double sum = 0, square = 0;
        EACH_VOXEL(layout) sum += x[quintet_element(layout, c, d, h, w)];
        double mean = sum / voxels_of(layout);
        EACH_VOXEL(layout) {
            double v = x[quintet_element(layout, c, d, h, w)] - mean;
            square += v * v;
        }
        int place = layout.planar ? c : quintet_padded(layout, c);
        statistics[place] = (float)mean;
        statistics[padded_channels(layout) + place] = (float)(1 / sqrt(square / voxels_of(layout) + 1e-5));
    }
}

// y[o, d, h, w] = bias[o] + sum x[i, d s + kd - p, ...] w[o, i, kd, kh, kw]
static void convolve_task(void *context, int index) {
    const naive_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int k = job->convolution->kernel, s = job->convolution->stride, reach = k / 2;
    int o = index / coarse.depth, d = index % coarse.depth;
    for (int h = 0; h < coarse.height; h++)
        for (int w = 0; w < coarse.width; w++) {
            double sum = job->bias ? job->bias[o] : 0;
            for (int i = 0; i < fine.channels; i++)
                for (int t = 0; t < k * k * k; t++)
                    sum += (double)job->in[quintet_element(fine, i, d * s + t / (k * k) - reach,
                                                           h * s + t / k % k - reach, w * s + t % k - reach)]
                           * job->w[((long)o * fine.channels + i) * k * k * k + t];
            float *y = job->out + quintet_element(coarse, o, d, h, w);
            *y = (float)(job->accumulate ? *y + sum : sum);
        }
}

static void naive_convolve(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                           const float *packed, const float *bias, float *y, int accumulate,
                           const quintet_result_statistics *wanted) {
    naive_job job = {convolution, x, NULL, packed, bias, y, accumulate};
    quintet_pool_run(pool, convolution->coarse.channels * convolution->coarse.depth, convolve_task, &job);
    if (wanted) naive_norm_statistics(pool, wanted->layout, y, NULL, wanted->statistics);
}

// The coarse coordinate that tap t maps to fine coordinate f, or -1 when there is none.
static int coarse_of(int f, int t, int reach, int stride, int size) {
    int scaled = f + reach - t;
    return scaled >= 0 && scaled % stride == 0 && scaled / stride < size ? scaled / stride : -1;
}

static void convolve_transposed_task(void *context, int index) {
    const naive_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int k = job->convolution->kernel, s = job->convolution->stride, reach = k / 2;
    int i = index / fine.depth, d = index % fine.depth;
    for (int h = 0; h < fine.height; h++)
        for (int w = 0; w < fine.width; w++) {
            double sum = job->bias ? job->bias[i] : 0;
            for (int t = 0; t < k * k * k; t++) {
                int cd = coarse_of(d, t / (k * k), reach, s, coarse.depth);
                int ch = coarse_of(h, t / k % k, reach, s, coarse.height);
                int cw = coarse_of(w, t % k, reach, s, coarse.width);
                if (cd < 0 || ch < 0 || cw < 0) continue;
                for (int o = 0; o < coarse.channels; o++)
                    sum += (double)job->in[quintet_element(coarse, o, cd, ch, cw)]
                           * job->w[((long)o * fine.channels + i) * k * k * k + t];
            }
            float *x = job->out + quintet_element(fine, i, d, h, w);
            *x = (float)(job->accumulate ? *x + sum : sum);
        }
}

static void naive_convolve_transposed(quintet_pool *pool, const quintet_convolution *convolution, const float *y,
                                      const float *packed, const float *bias, float *x, int accumulate,
                                      const quintet_result_statistics *wanted) {
    naive_job job = {convolution, y, NULL, packed, bias, x, accumulate};
    quintet_pool_run(pool, convolution->fine.channels * convolution->fine.depth, convolve_transposed_task, &job);
    if (wanted) naive_norm_statistics(pool, wanted->layout, x, NULL, wanted->statistics);
}

static void weight_gradient_task(void *context, int o) {
    const naive_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int k = job->convolution->kernel, s = job->convolution->stride, reach = k / 2;
    for (int i = 0; i < fine.channels; i++)
        for (int t = 0; t < k * k * k; t++) {
            double sum = 0;
            for (int d = 0; d < coarse.depth; d++)
                for (int h = 0; h < coarse.height; h++)
                    for (int w = 0; w < coarse.width; w++)
                        sum += (double)job->in[quintet_element(fine, i, d * s + t / (k * k) - reach,
                                                               h * s + t / k % k - reach, w * s + t % k - reach)]
                               * job->other[quintet_element(coarse, o, d, h, w)];
            job->out[((long)o * fine.channels + i) * k * k * k + t] += (float)sum;
        }
}

static void naive_weight_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                                  const float *y_gradient, float *scratch, float *gradient) {
    (void)scratch;
    naive_job job = {convolution, x, y_gradient, NULL, NULL, gradient, 0};
    quintet_pool_run(pool, convolution->coarse.channels, weight_gradient_task, &job);
}

static void naive_bias_gradient(quintet_pool *pool, quintet_layout layout, const float *y_gradient, double *scratch,
                                float *gradient) {
    (void)pool, (void)scratch;
    for (int c = 0; c < layout.channels; c++) {
        double sum = 0;
        EACH_VOXEL(layout) sum += y_gradient[quintet_element(layout, c, d, h, w)];
        gradient[c] += (float)sum;
    }
}

static void naive_norm_activate(quintet_pool *pool, quintet_layout layout, const float *x, const float *statistics,
                                const float *slope, const float *residual, float *y) {
    (void)pool;
    for (int c = 0; c < layout.channels; c++) {
        int place = layout.planar ? c : quintet_padded(layout, c);
        EACH_VOXEL(layout) {
            long at = quintet_element(layout, c, d, h, w);
            double u = ((double)x[at] - statistics[place]) * statistics[padded_channels(layout) + place];
            y[at] = (float)((u > 0 ? u : u * *slope) + (residual ? residual[at] : 0));
        }
    }
}

static void naive_norm_activate_gradient(quintet_pool *pool, quintet_layout layout, const float *x,
                                         const float *statistics, const float *slope, const float *y_gradient,
                                         double *scratch, float *x_gradient, float *slope_gradient) {
    (void)pool, (void)scratch;
    double slopes = 0, count = voxels_of(layout);
    for (int c = 0; c < layout.channels; c++) {
        int place = layout.planar ? c : quintet_padded(layout, c);
        double mean = statistics[place], inverse = statistics[padded_channels(layout) + place], sum = 0, product = 0;
        EACH_VOXEL(layout) {
            long at = quintet_element(layout, c, d, h, w);
            double u = (x[at] - mean) * inverse, g = y_gradient[at];
            if (!(u > 0)) slopes += g * u, g *= *slope;
            sum += g;
            product += g * u;
        }
        EACH_VOXEL(layout) {
            long at = quintet_element(layout, c, d, h, w);
            double u = (x[at] - mean) * inverse, g = y_gradient[at];
            if (!(u > 0)) g *= *slope;
            x_gradient[at] = (float)(inverse * (g - sum / count - u * product / count));
        }
    }
    *slope_gradient += (float)slopes;
}

static void naive_add(quintet_pool *pool, quintet_layout layout, const float *x, float *y) {
    (void)pool;
    for (int c = 0; c < layout.channels; c++)
        EACH_VOXEL(layout) {
            long at = quintet_element(layout, c, d, h, w);
            y[at] += x[at];
        }
}

// Softmax of one voxel into gradient's place; returns the log of the sum of the exponentials.
static double softmax_voxel(quintet_layout layout, const float *logits, int d, int h, int w, float *p) {
    double top = logits[quintet_element(layout, 0, d, h, w)], sum = 0;
    for (int c = 1; c < layout.channels; c++) top = fmax(top, logits[quintet_element(layout, c, d, h, w)]);
    for (int c = 0; c < layout.channels; c++) sum += exp(logits[quintet_element(layout, c, d, h, w)] - top);
    for (int c = 0; c < layout.channels; c++)
        p[quintet_element(layout, c, d, h, w)] =
            (float)(exp(logits[quintet_element(layout, c, d, h, w)] - top) / sum);
    return top + log(sum);
}

static void naive_dice_cross_entropy(quintet_pool *pool, quintet_layout layout, const float *logits,
                                     const uint8_t *target, double scale, double *scratch, float *gradient,
                                     quintet_loss_figures *figures) {
    (void)pool;
    const int classes = layout.channels;
    const double voxels = voxels_of(layout), smooth = 1e-5;
    // scratch [C][3]: sums of p, of p in the class's voxels, of those voxels.
    memset(scratch, 0, sizeof(double) * 3 * classes);
    memset(figures, 0, sizeof *figures);
    double entropy = 0;
    const uint8_t *t = target;
    EACH_VOXEL(layout) {
        int truth = *t++, best = 0;
        entropy += softmax_voxel(layout, logits, d, h, w, gradient);
        entropy -= logits[quintet_element(layout, truth, d, h, w)];
        for (int c = 0; c < classes; c++) {
            double p = gradient[quintet_element(layout, c, d, h, w)];
            scratch[3 * c] += p;
            if (c == truth) scratch[3 * c + 1] += p, scratch[3 * c + 2] += 1;
            if (logits[quintet_element(layout, c, d, h, w)] > logits[quintet_element(layout, best, d, h, w)]) best = c;
        }
        figures->intersection += truth == 1 && best == 1;
        figures->predicted += best == 1;
        figures->truth += truth == 1;
    }
    double dice = 0;
    for (int c = 0; c < classes; c++)
        dice += 1 - (2 * scratch[3 * c + 1] + smooth) / (scratch[3 * c] + scratch[3 * c + 2] + smooth);
    figures->loss = dice / classes + entropy / voxels;
    t = target;
    EACH_VOXEL(layout) {
        int truth = *t++;
        double mean = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int c = 0; c < classes; c++) {
                double top = 2 * scratch[3 * c + 1] + smooth, bottom = scratch[3 * c] + scratch[3 * c + 2] + smooth;
                double g = (top / (bottom * bottom) - (c == truth ? 2 / bottom : 0)) / classes;
                float *p = gradient + quintet_element(layout, c, d, h, w);
                if (pass == 0) mean += g * *p;
                else *p = (float)(scale * (*p * (g - mean) + (*p - (c == truth)) / voxels));
            }
    }
}

static void naive_softmax(quintet_pool *pool, quintet_layout layout, int32_t depth, int32_t height, int32_t width,
                          const float *logits, int32_t chosen, float *probability) {
    (void)pool;
    for (int d = 0; d < depth; d++)
        for (int h = 0; h < height; h++)
            for (int w = 0; w < width; w++) {
                double sum = 0, at = logits[quintet_element(layout, chosen, d, h, w)];
                for (int c = 0; c < layout.channels; c++) sum += exp(logits[quintet_element(layout, c, d, h, w)] - at);
                probability[((long)d * height + h) * width + w] = (float)(1 / sum);
            }
}

static void naive_adam(quintet_pool *pool, size_t count, double learning_rate, double beta1, double beta2,
                       double epsilon, double power1, double power2, const float *gradient, float *mean, float *square,
                       float *weights) {
    (void)pool;
    for (size_t i = 0; i < count; i++) {
        double g = gradient[i];
        mean[i] = (float)(mean[i] + (1 - beta1) * (g - mean[i]));
        square[i] = (float)(beta2 * square[i] + (1 - beta2) * g * g);
        double root = sqrt(square[i]) / sqrt(1 - power2) + epsilon;
        weights[i] = (float)(weights[i] - learning_rate / (1 - power1) * mean[i] / root);
    }
}

const quintet_kernels quintet_kernels_naive = {
    .convolve = naive_convolve,
    .convolve_transposed = naive_convolve_transposed,
    .weight_gradient = naive_weight_gradient,
    .bias_gradient = naive_bias_gradient,
    .norm_statistics = naive_norm_statistics,
    .norm_activate = naive_norm_activate,
    .norm_activate_gradient = naive_norm_activate_gradient,
    .add = naive_add,
    .dice_cross_entropy = naive_dice_cross_entropy,
    .softmax = naive_softmax,
    .adam = naive_adam,
};
