// Memory that a kernel's task needs for itself: one block a thread, kept until the thread ends.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "conv_layout.h"

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local float *scratch;
static _Thread_local size_t capacity;

static void make_key(void) { pthread_key_create(&key, free); }

float *quintet_thread_scratch(size_t floats) {
    if (floats <= capacity) return scratch;
    pthread_once(&once, make_key);
    free(scratch);
    void *block = NULL;
    if (posix_memalign(&block, 4096, floats * sizeof(float))) {
        fprintf(stderr, "quintet: no %zu bytes of scratch memory for a thread\n", floats * sizeof(float));
        abort();
    }
    scratch = block;
    capacity = floats;
    pthread_setspecific(key, scratch);
    return scratch;
}
