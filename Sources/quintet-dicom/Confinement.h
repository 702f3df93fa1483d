// What this process may do: read files, and write to the pipes that it was given. Nothing else.
#pragma once

#include <cstdint>

namespace quintet {

/// Gives up for good: writing, making and removing files (Landlock, where the kernel has it), programs, processes and
/// sockets (seccomp), dumps of memory. Called before the first DICOM file is opened.
void confine();

/// Tries what must not be possible any more, and says what came of it, a line each on standard output. A test of the
/// program reads it.
/// - Returns: whether everything was refused that the kernel can refuse.
bool checkConfinement();

/// Address space at most, in bytes, and seconds of computing. A file that asks for more gets `std::bad_alloc`.
void limitResources(std::uint64_t memoryByteCount, unsigned computingSeconds);

}  // namespace quintet
