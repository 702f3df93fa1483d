// Dropout: a channel's numbers of a whole band are made at once, since they are neighbours in plain order. Included
// once per instruction set.
#ifndef QUINTET_DROPOUT_FAST_H
#define QUINTET_DROPOUT_FAST_H
#include "quintet_philox.h"

typedef struct {
    quintet_elements elements;
    uint64_t seed, stream;
    // What is kept is not below the threshold.
    float threshold, factor;
    const float *x;
    float *y;
} dropout_job;

INLINE float dropped(const dropout_job *job, float number, float x) {
    return number >= job->threshold ? x * job->factor : 0;
}

static void dropout_plain_task(void *context, int index) {
    const dropout_job *job = context;
    layer_span span = layer_span_of(job->elements, index);
    float *numbers = quintet_thread_scratch(PLAIN_FLOATS);
    quintet_philox_uniform(job->seed, job->stream, (uint64_t)span.first, numbers, (size_t)span.count);
    for (long i = 0; i < span.count; i++)
        job->y[span.first + i] = dropped(job, numbers[i], job->x[span.first + i]);
}

static void dropout_task(void *context, int index) {
    const dropout_job *job = context;
    quintet_layout layout = job->elements.layout;
    layer_band band = layer_band_of(layout, index);
    const int lanes = layer_lanes(layout), rows = band.end - band.first;
    size_t count = (size_t)rows * layout.width;
    float *numbers = quintet_thread_scratch(count);
    for (int l = 0; l < lanes; l++) {
        int channel = layer_channel(layout, band.block * lanes + l);
        uint64_t plane = (uint64_t)(channel < 0 ? 0 : channel) * layout.depth + band.d;
        if (channel >= 0)
            quintet_philox_uniform(job->seed, job->stream, (plane * layout.height + band.first) * layout.width, numbers,
                                   count);
        for (int h = 0; h < rows; h++) {
            long at = quintet_row(layout, band.block, band.d, band.first + h) + l;
            const float *own = numbers + (long)h * layout.width;
            // What fills a block up stays zero.
            for (int w = 0; w < layout.width; w++, at += lanes)
                job->y[at] = channel < 0 ? 0 : dropped(job, own[w], job->x[at]);
        }
    }
}

static void fast_dropout(quintet_pool *pool, quintet_elements elements, uint64_t seed, uint64_t stream,
                         double probability, const float *x, float *y) {
    // Numbers are whole multiples of 2^-24: the smallest one that is not below the probability.
    float threshold = (float)(__builtin_ceil(probability * 0x1p24) * 0x1p-24);
    dropout_job job = {elements, seed, stream, threshold, (float)(1 / (1 - probability)), x, y};
    quintet_pool_run(pool, layer_element_tasks(elements), elements.plain ? dropout_plain_task : dropout_task, &job);
}
#endif
