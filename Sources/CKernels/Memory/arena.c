#define _GNU_SOURCE
#include "quintet_arena.h"
#include "quintet_pages.h"
#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 2 << 20 };

// What lies right before an arena.
typedef struct {
    void *mapping;
    size_t bytes;
} arena_header;

void *quintet_arena_create(size_t bytes) {
    if (bytes > SIZE_MAX - 4 * (size_t)PAGE) return NULL;
    size_t size = (bytes + PAGE - 1) / PAGE * PAGE, mapped = size + 2 * (size_t)PAGE;
    // A new mapping reads as zeros without being written: its pages come into being where the first step writes
    // them, on all threads, and not before that step one after the other.
    void *mapping = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return NULL;
    uintptr_t start = ((uintptr_t)mapping + sizeof(arena_header) + PAGE - 1) / PAGE * PAGE;
    quintet_pages_large((void *)start, size);
    ((arena_header *)start)[-1] = (arena_header){mapping, mapped};
    return (void *)start;
}

void quintet_arena_destroy(void *arena) {
    arena_header header = ((arena_header *)arena)[-1];
    munmap(header.mapping, header.bytes);
}
