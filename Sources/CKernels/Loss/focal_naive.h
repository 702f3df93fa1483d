// Focal loss by its definition, one voxel after the other. Internal to layer_variant_naive.c.
#ifndef QUINTET_FOCAL_NAIVE_H
#define QUINTET_FOCAL_NAIVE_H

static double focal_voxel(quintet_layout layout, const float *logits, int truth, const quintet_focal *focal,
                          double share, int d, int h, int w, float *gradient) {
    double top = -INFINITY, sum = 0, others = 0;
    for (int c = 0; c < layout.channels; c++) top = fmax(top, logits[quintet_element(layout, c, d, h, w)]);
    for (int c = 0; c < layout.channels; c++) {
        double own = exp(logits[quintet_element(layout, c, d, h, w)] - top);
        sum += own;
        if (c != truth) others += own;
    }
    double low = focal->smooth / (layout.channels - 1), range = 1 - focal->smooth - low;
    double p = exp(logits[quintet_element(layout, truth, d, h, w)] - top) / sum, q = low + focal->smooth + range * p;
    double rest = fmax(range * others / sum, 0x1p-126), alpha = focal->alpha ? focal->alpha[truth] : 1;
    double power = pow(rest, focal->gamma);
    if (gradient) {
        double slope = alpha * range * (power / q - focal->gamma * power / rest * log(q)) * share;
        for (int c = 0; c < layout.channels; c++) {
            long at = quintet_element(layout, c, d, h, w);
            double own = exp(logits[at] - top) / sum;
            gradient[at] = (float)(slope * own * (c == truth ? -others / sum : p));
        }
    }
    return -alpha * power * log(q);
}

static void naive_focal_loss(quintet_pool *pool, quintet_layout layout, const float *logits, const uint8_t *target,
                             const quintet_focal *focal, double scale, float *gradient,
                             quintet_loss_figures *figures) {
    (void)pool;
    double sum = 0, voxels = layer_voxels(layout);
    memset(figures, 0, sizeof *figures);
    EACH_VOXEL(layout) {
        int truth = *target++, best = 0;
        for (int c = 1; c < layout.channels; c++)
            if (logits[quintet_element(layout, c, d, h, w)] > logits[quintet_element(layout, best, d, h, w)]) best = c;
        sum += focal_voxel(layout, logits, truth, focal, scale / voxels, d, h, w, gradient);
        figures->intersection += truth == 1 && best == 1;
        figures->predicted += best == 1;
        figures->truth += truth == 1;
    }
    figures->loss = sum / voxels;
}
#endif
