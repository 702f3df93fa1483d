#include "quintet_philox.h"

void quintet_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void quintet_philox_uniform(uint64_t key, uint64_t stream, uint64_t first, float *out, size_t count) {
    const uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    size_t i = 0;
    while (i < count) {
        uint64_t at = first + i, block = at / 4;
        uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
        uint32_t words[4];
        quintet_philox(counter, k, words);
        for (unsigned lane = at % 4; lane < 4 && i < count; lane++, i++) out[i] = (float)(words[lane] >> 8) * 0x1p-24f;
    }
}
