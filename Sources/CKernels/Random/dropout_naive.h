// Dropout by its definition. Internal to layer_variant_naive.c.
#ifndef QUINTET_DROPOUT_NAIVE_H
#define QUINTET_DROPOUT_NAIVE_H

static void naive_dropout(quintet_pool *pool, quintet_elements elements, uint64_t seed, uint64_t stream,
                          double probability, const float *x, float *y) {
    (void)pool;
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    EACH_ELEMENT(elements, i, at) {
        uint64_t block = (uint64_t)i / 4;
        uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
        uint32_t words[4];
        quintet_philox(counter, key, words);
        double number = (words[i % 4] >> 8) * 0x1p-24;
        y[at] = number < probability ? 0 : (float)(x[at] / (1 - probability));
    }
}
#endif
