#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H
/// How often this thread has asked the C library for memory. Whatever a test program calls is counted: its own Swift
/// and C, and the libraries under it.
unsigned long allocation_count(void);
#endif
