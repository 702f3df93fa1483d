// The only door to nifti_clib. Debian ships no pkg-config file for it, and its header includes <znzlib.h> without
// the folder, so this target forwards both.
#ifndef QUINTET_CNIFTI_H
#define QUINTET_CNIFTI_H
#include <nifti/nifti1_io.h>
#endif
