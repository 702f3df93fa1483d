// The voxels of slices, as Hounsfield units.
#pragma once

#include <string>
#include <vector>

#include "Slice.h"

class DcmDataset;

namespace quintet {

/// Decompresses one slice and applies its own rescaling.
/// - Parameter out: rows * columns values, row after row.
/// - Returns: false where the voxels are not all there or cannot be decompressed; `reason` says why.
bool readVoxels(DcmDataset& dataset, const Slice& slice, float* out, std::string& reason);

/// The same of a file, which must still be the slice that it was.
bool readVoxels(const Slice& slice, float* out, std::string& reason);

/// JPEG lossless, JPEG-LS and RLE; once, before anything is read.
void registerCodecs();

}  // namespace quintet
