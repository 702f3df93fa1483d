#include "quintet_pool.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

// How often a waiting thread looks before it sleeps: some 30 microseconds. A network's operations follow one another
// faster than that, and waking a sleeper takes longer.
enum { LOOKS = 2048 };

struct quintet_pool {
    pthread_mutex_t mutex;
    pthread_cond_t started, finished;
    pthread_t *helpers;
    int helper_count;
    // One generation is one call of quintet_pool_run. Changed under the mutex, for the sleepers' sake; read without.
    atomic_ulong generation;
    atomic_int busy_helpers, stopping;
    atomic_int next;
    int count;
    quintet_task task;
    void *context;
};

static void look_again(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

static void drain(quintet_pool *pool) {
    for (;;) {
        int index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= pool->count) return;
        pool->task(pool->context, index);
    }
}

static int nothing_new(quintet_pool *pool, unsigned long seen) {
    return atomic_load(&pool->generation) == seen && !atomic_load(&pool->stopping);
}

static void *help(void *argument) {
    quintet_pool *pool = argument;
    unsigned long seen = 0;
    for (;;) {
        for (int look = 0; look < LOOKS && nothing_new(pool, seen); look++) look_again();
        if (nothing_new(pool, seen)) {
            pthread_mutex_lock(&pool->mutex);
            while (nothing_new(pool, seen)) pthread_cond_wait(&pool->started, &pool->mutex);
            pthread_mutex_unlock(&pool->mutex);
        }
        if (atomic_load(&pool->stopping)) return NULL;
        // A generation ends only when every helper has been through it, so this is the next one.
        seen++;
        drain(pool);
        if (atomic_fetch_sub(&pool->busy_helpers, 1) > 1) continue;
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_signal(&pool->finished);
        pthread_mutex_unlock(&pool->mutex);
    }
}

quintet_pool *quintet_pool_create(int threads) {
    quintet_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->started, NULL);
    pthread_cond_init(&pool->finished, NULL);
    int wanted = threads > 1 ? threads - 1 : 0;
    pool->helpers = calloc((size_t)wanted + 1, sizeof *pool->helpers);
    if (!pool->helpers) { quintet_pool_destroy(pool); return NULL; }
    for (; pool->helper_count < wanted; pool->helper_count++)
        if (pthread_create(&pool->helpers[pool->helper_count], NULL, help, pool)) {
            quintet_pool_destroy(pool);
            return NULL;
        }
    return pool;
}

void quintet_pool_destroy(quintet_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stopping, 1);
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->helper_count; i++) pthread_join(pool->helpers[i], NULL);
    pthread_cond_destroy(&pool->started);
    pthread_cond_destroy(&pool->finished);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->helpers);
    free(pool);
}

int quintet_pool_threads(const quintet_pool *pool) { return pool->helper_count + 1; }

void quintet_pool_run(quintet_pool *pool, int count, quintet_task task, void *context) {
    if (pool->helper_count == 0 || count <= 1) {
        for (int index = 0; index < count; index++) task(context, index);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->count = count;
    atomic_store(&pool->next, 0);
    atomic_store(&pool->busy_helpers, pool->helper_count);
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->generation, 1);
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->mutex);
    drain(pool);
    for (int look = 0; look < LOOKS && atomic_load(&pool->busy_helpers) > 0; look++) look_again();
    if (atomic_load(&pool->busy_helpers) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->busy_helpers) > 0) pthread_cond_wait(&pool->finished, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
