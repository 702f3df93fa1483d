#include "quintet_pool.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct quintet_pool {
    pthread_mutex_t mutex;
    pthread_cond_t started, finished;
    pthread_t *helpers;
    int helper_count;
    // One generation is one call of quintet_pool_run.
    unsigned long generation;
    int busy_helpers, stopping;
    atomic_int next;
    int count;
    quintet_task task;
    void *context;
};

static void drain(quintet_pool *pool) {
    for (;;) {
        int index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= pool->count) return;
        pool->task(pool->context, index);
    }
}

static void *help(void *argument) {
    quintet_pool *pool = argument;
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (pool->generation == seen && !pool->stopping) pthread_cond_wait(&pool->started, &pool->mutex);
        if (pool->stopping) break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->mutex);
        drain(pool);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy_helpers == 0) pthread_cond_signal(&pool->finished);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
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
    pool->stopping = 1;
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
    pthread_mutex_lock(&pool->mutex);
    pool->task = task;
    pool->context = context;
    pool->count = count;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->busy_helpers = pool->helper_count;
    pool->generation++;
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->mutex);
    drain(pool);
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy_helpers > 0) pthread_cond_wait(&pool->finished, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
