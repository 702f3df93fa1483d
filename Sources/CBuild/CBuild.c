#include "CBuild.h"

#ifndef QUINTET_COMMIT
#define QUINTET_COMMIT ""
#endif

const char *quintet_build_commit(void) { return QUINTET_COMMIT; }
