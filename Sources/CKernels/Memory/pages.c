#define _GNU_SOURCE
#include "quintet_pages.h"
#include <stdint.h>
#include <sys/mman.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

enum { PAGE = 2 << 20, LEAST = 4 << 20 };

void quintet_pages_large(void *memory, size_t bytes) {
#if defined(__linux__)
    if (bytes < LEAST) return;
    // Only whole pages inside: what lies beside them belongs to others.
    uintptr_t begin = ((uintptr_t)memory + PAGE - 1) / PAGE * PAGE, end = ((uintptr_t)memory + bytes) / PAGE * PAGE;
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)bytes;
#endif
}

void quintet_pages_keep(void) {
#if defined(__GLIBC__)
    // 32 MiB is the most that glibc takes for the first.
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 128 << 20);
#endif
}
