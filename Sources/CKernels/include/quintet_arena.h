// One large block of zeroed memory for a network's tensors, in huge pages where the system grants them: page faults
// of big temporaries are the first thing that slows a general framework down.
#ifndef QUINTET_ARENA_H
#define QUINTET_ARENA_H
#include <stddef.h>

/// Zeroed, aligned to 2 MiB; NULL when the system has not that much. Pages are taken when they are first written.
void *quintet_arena_create(size_t bytes);
/// arena: from quintet_arena_create.
void quintet_arena_destroy(void *arena);
#endif
