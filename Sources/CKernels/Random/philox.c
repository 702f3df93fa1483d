#include "quintet_philox.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

static void uniform_portable(uint64_t key, uint64_t stream, uint64_t first, float *out, size_t count) {
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

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
// a * m as the high and low halves of eight 64-bit products.
static inline __attribute__((always_inline)) void multiply(__m256i a, __m256i m, __m256i *high, __m256i *low) {
    __m256i even = _mm256_mul_epu32(a, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), m);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

static inline __attribute__((always_inline)) __m256 in_unit_interval(__m256i words) {
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(words, 8)), _mm256_set1_ps(0x1p-24f));
}

// The 32 numbers of the eight blocks from `block` on, whose counters share their upper word.
static void eight_blocks_avx2(uint64_t key, uint64_t stream, uint64_t block, float *out) {
    const __m256i m0 = _mm256_set1_epi32((int)0xD2511F53u), m1 = _mm256_set1_epi32((int)0xCD9E8D57u);
    __m256i c0 = _mm256_add_epi32(_mm256_set1_epi32((int)(uint32_t)block), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i c1 = _mm256_set1_epi32((int)(uint32_t)(block >> 32));
    __m256i c2 = _mm256_set1_epi32((int)(uint32_t)stream), c3 = _mm256_set1_epi32((int)(uint32_t)(stream >> 32));
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        __m256i h0, l0, h1, l1;
        multiply(c0, m0, &h0, &l0);
        multiply(c2, m1, &h1, &l1);
        c0 = _mm256_xor_si256(_mm256_xor_si256(h1, c1), _mm256_set1_epi32((int)k0));
        c2 = _mm256_xor_si256(_mm256_xor_si256(h0, c3), _mm256_set1_epi32((int)k1));
        c1 = l1;
        c3 = l0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    // From word by block to block by word.
    __m256i a = _mm256_unpacklo_epi32(c0, c1), b = _mm256_unpackhi_epi32(c0, c1);
    __m256i c = _mm256_unpacklo_epi32(c2, c3), d = _mm256_unpackhi_epi32(c2, c3);
    __m256i r04 = _mm256_unpacklo_epi64(a, c), r15 = _mm256_unpackhi_epi64(a, c);
    __m256i r26 = _mm256_unpacklo_epi64(b, d), r37 = _mm256_unpackhi_epi64(b, d);
    _mm256_storeu_ps(out, in_unit_interval(_mm256_permute2x128_si256(r04, r15, 0x20)));
    _mm256_storeu_ps(out + 8, in_unit_interval(_mm256_permute2x128_si256(r26, r37, 0x20)));
    _mm256_storeu_ps(out + 16, in_unit_interval(_mm256_permute2x128_si256(r04, r15, 0x31)));
    _mm256_storeu_ps(out + 24, in_unit_interval(_mm256_permute2x128_si256(r26, r37, 0x31)));
}
#pragma clang attribute pop
#endif

void quintet_philox_uniform(uint64_t key, uint64_t stream, uint64_t first, float *out, size_t count) {
#if defined(__x86_64__)
    if (count >= 64 && __builtin_cpu_supports("avx2")) {
        size_t ahead = (4 - first % 4) % 4;
        uniform_portable(key, stream, first, out, ahead);
        for (first += ahead, out += ahead, count -= ahead; count >= 32; first += 32, out += 32, count -= 32) {
            uint64_t block = first / 4;
            if ((uint32_t)block > UINT32_MAX - 8) uniform_portable(key, stream, first, out, 32);
            else eight_blocks_avx2(key, stream, block, out);
        }
    }
#endif
    uniform_portable(key, stream, first, out, count);
}
