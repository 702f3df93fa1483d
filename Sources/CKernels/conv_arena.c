#define _GNU_SOURCE
#include "quintet_arena.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { PAGE = 2 << 20 };

void *quintet_arena_create(size_t bytes) {
    if (bytes > SIZE_MAX - PAGE) return NULL;
    size_t size = (bytes + PAGE - 1) / PAGE * PAGE;
    void *arena = NULL;
    if (posix_memalign(&arena, PAGE, size ? size : PAGE)) return NULL;
#if defined(__linux__)
    // Advice only: where it is refused the pages are small.
    (void)madvise(arena, size, MADV_HUGEPAGE);
#endif
    memset(arena, 0, size);
    return arena;
}

void quintet_arena_destroy(void *arena) { free(arena); }
