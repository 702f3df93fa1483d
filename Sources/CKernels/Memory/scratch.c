// Memory that kernels need beside their tensors: for a task's own use, and for all tasks of one call. Blocks are kept
// until their thread ends.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "conv_layout.h"

typedef struct {
    float *start;
    size_t capacity;
} block;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local block blocks[2];

static void release(void *own) {
    for (int i = 0; i < 2; i++) free(((block *)own)[i].start);
}
static void make_key(void) { pthread_key_create(&key, release); }

static float *at_least(block *own, size_t floats) {
    if (floats <= own->capacity) return own->start;
    pthread_once(&once, make_key);
    free(own->start);
    void *start = NULL;
    if (posix_memalign(&start, 4096, floats * sizeof(float))) {
        fprintf(stderr, "quintet: no %zu bytes of scratch memory for a thread\n", floats * sizeof(float));
        abort();
    }
    own->start = start;
    own->capacity = floats;
    pthread_setspecific(key, blocks);
    return start;
}

float *quintet_thread_scratch(size_t floats) { return at_least(&blocks[0], floats); }
float *quintet_call_scratch(size_t floats) { return at_least(&blocks[1], floats); }
