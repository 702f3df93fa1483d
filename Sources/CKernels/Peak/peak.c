// The yardsticks on all threads, with the instruction set that the kernels use.
#include "peak_shared.h"
#include "quintet_bench.h"

static const quintet_peak_loops *loops(void) {
    switch (quintet_variant_current()) {
#if defined(__x86_64__)
    case QUINTET_AVX2: return &quintet_peak_avx2;
    case QUINTET_AVX512: return &quintet_peak_avx512;
#endif
    default: return &quintet_peak_portable;
    }
}

typedef struct {
    const quintet_peak_loops *loops;
    int64_t rounds;
    const float *first, *second;
    float *to;
    long count;
} peak_job;

// Several tasks a thread: one that starts late costs less.
enum { TASKS_PER_THREAD = 8, STRETCH = 1 << 16 };

static void compute_task(void *context, int index) {
    const peak_job *job = context;
    (void)index;
    job->loops->compute(job->rounds);
}

double quintet_peak_compute(quintet_pool *pool, int64_t rounds) {
    int tasks = quintet_pool_threads(pool) * TASKS_PER_THREAD;
    peak_job job = {.loops = loops(), .rounds = (rounds + TASKS_PER_THREAD - 1) / TASKS_PER_THREAD};
    quintet_pool_run(pool, tasks, compute_task, &job);
    // One round more, for how much a round is.
    return job.loops->compute(1) * (double)job.rounds * tasks;
}

static void move_task(void *context, int index) {
    const peak_job *job = context;
    long from = (long)index * STRETCH, count = job->count - from < STRETCH ? job->count - from : STRETCH;
    if (job->second) job->loops->triad(job->first + from, job->second + from, job->to + from, count);
    else job->loops->copy(job->first + from, job->to + from, count);
}

static double move(quintet_pool *pool, const float *first, const float *second, float *to, size_t count) {
    peak_job job = {.loops = loops(), .first = first, .second = second, .to = to, .count = (long)count};
    quintet_pool_run(pool, (int)((count + STRETCH - 1) / STRETCH), move_task, &job);
    return (double)count * sizeof(float) * (second ? 3 : 2);
}

double quintet_peak_copy(quintet_pool *pool, const float *from, float *to, size_t count) {
    return move(pool, from, 0, to, count);
}

double quintet_peak_triad(quintet_pool *pool, const float *first, const float *second, float *to, size_t count) {
    return move(pool, first, second, to, count);
}
