// What this program was built from.
#ifndef CBUILD_H
#define CBUILD_H

/// The commit, shortened, with "-changed" where files differed from it; "" where nobody said (the Makefile does).
const char *quintet_build_commit(void);
#endif
