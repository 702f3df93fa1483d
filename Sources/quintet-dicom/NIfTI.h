// A series as a NIfTI-1 file.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "Series.h"

namespace quintet {

constexpr std::size_t niftiFrontByteCount = 352;

/// Header and the four bytes behind it. Nothing in it tells of the patient.
/// - Parameter isFloat: voxels of 32-bit floats; otherwise 16-bit whole numbers.
std::array<unsigned char, niftiFrontByteCount> niftiFront(const Series& series, bool isFloat);

}  // namespace quintet
