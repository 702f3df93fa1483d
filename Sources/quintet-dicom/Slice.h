// What one DICOM file says of itself.
#pragma once

#include <array>
#include <cstddef>
#include <string>

class DcmDataset;
class DcmFileFormat;

namespace quintet {

/// Sizes that no CT has are refused before anything is allocated by them.
constexpr int axisVoxelCountMax = 4096;
constexpr std::size_t sliceCountMax = 8192;
constexpr std::size_t voxelCountMax = std::size_t{1} << 31;
constexpr std::size_t fileByteCountMax = std::size_t{256} << 20;

/// A slice by its header. Texts are as they stand in the file.
struct Slice {
    /// Among the paths that the caller gave.
    std::size_t index = 0;
    std::string path;

    std::string seriesUID, studyUID, frameOfReferenceUID, instanceUID, classUID;
    std::string modality, imageType, kernel, photometric, rescaleType, transferSyntaxName;
    /// Whose it is, in the file's own character set: for DICOM SEG alone, which is of the same patient.
    std::string patientName, patientID;
    /// Why this file cannot be a slice of a CT, by the first thing found; empty where it can.
    std::string problem;

    int rows = 0, columns = 0, bitsAllocated = 0, bitsStored = 0, highBit = 0, samples = 1, frames = 1;
    bool isSigned = false, isLossy = false, isLocaliser = false, isCTImage = false;
    /// Distance of rows, distance of columns, in mm.
    std::array<double, 2> spacing{};
    /// Directions along a row and along a column, in DICOM's axes: left, posterior, superior.
    std::array<double, 6> orientation{};
    /// Of the first voxel's centre.
    std::array<double, 3> position{};
    double slope = 1, intercept = 0, tiltDegrees = 0;
    /// Along the normal, in mm; where the series was sorted by it.
    double distance = 0;
};

/// Reads what stands before the voxels.
/// - Returns: false where this is no DICOM file that can be read; `reason` says why.
bool loadHeader(const std::string& path, DcmFileFormat& file, std::string& reason);

/// The same, as a slice.
/// - Returns: false where this is no DICOM file that can be read; `reason` says why.
bool readHeader(const std::string& path, std::size_t index, Slice& slice, std::string& reason);

/// The same of a dataset in memory, with its transfer syntax (an `E_TransferSyntax`).
void describe(DcmDataset& dataset, int transferSyntax, Slice& slice);

}  // namespace quintet
