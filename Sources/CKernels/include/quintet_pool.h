// A persistent pool of threads. What a task computes may depend on its index only, never on which thread runs it
// nor on how many there are: that is how results stay the same bytes for any thread count.
#ifndef QUINTET_POOL_H
#define QUINTET_POOL_H

typedef struct quintet_pool quintet_pool;
typedef void (*quintet_task)(void *context, int index);

/// threads >= 1 counts the caller, which works too. NULL when the system has no memory or no threads left.
quintet_pool *quintet_pool_create(int threads);
void quintet_pool_destroy(quintet_pool *pool);
int quintet_pool_threads(const quintet_pool *pool);

/// Runs task(context, 0 ..< count) and returns when all are done. Indexes are handed out in ascending order.
/// One caller at a time; a task must not run the same pool again.
void quintet_pool_run(quintet_pool *pool, int count, quintet_task task, void *context);
#endif
