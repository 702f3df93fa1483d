// Pages of large memory: the system hands out and clears 4 KiB at a time unless it is told that more will be used.
#ifndef QUINTET_PAGES_H
#define QUINTET_PAGES_H
#include <stddef.h>

/// Asks for pages of 2 MiB in memory that was allocated and not yet written. Advice only: the system may refuse it, and
/// memory of less than a few such pages is left as it is.
void quintet_pages_large(void *memory, size_t bytes);

/// From now on the process keeps freed memory for what it asks for next, up to 128 MiB in each of malloc's arenas,
/// instead of giving it back and having the same pages cleared for it again. Blocks above 32 MiB are given back as
/// before. glibc only.
void quintet_pages_keep(void);
#endif
