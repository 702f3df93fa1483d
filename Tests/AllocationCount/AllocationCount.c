// The C library's allocator behind a count. A program's own definitions go before a shared library's, so every
// allocation of a test program comes through here; what is freed goes to the library directly. Sanitizers put their own
// allocators there, which call a hook.
#include "AllocationCount.h"
#include <errno.h>
#include <stddef.h>

static _Thread_local unsigned long count;

unsigned long allocation_count(void) { return count; }

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
__attribute__((disable_sanitizer_instrumentation)) void __sanitizer_malloc_hook(const volatile void *block,
                                                                                size_t bytes) {
    (void)block, (void)bytes;
    count++;
}
#else
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t bytes) { count++; return __libc_malloc(bytes); }
void *calloc(size_t number, size_t bytes) { count++; return __libc_calloc(number, bytes); }
void *realloc(void *block, size_t bytes) { count++; return __libc_realloc(block, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { count++; return __libc_memalign(alignment, bytes); }
int posix_memalign(void **block, size_t alignment, size_t bytes) {
    count++;
    *block = __libc_memalign(alignment, bytes);
    return *block || bytes == 0 ? 0 : ENOMEM;
}
#endif
