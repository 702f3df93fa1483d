// Masks on a series' grid as a DICOM SEG object of the same patient, study and frame of reference.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "Series.h"

namespace quintet {

/// Of SNOMED CT.
struct Concept {
    std::string code, meaning;
};

/// One mask.
struct Segment {
    std::string label, description, algorithm;
    /// Found by a program; else by whoever gave the mask, of whom nothing is known.
    bool isAutomatic = true;
    Concept category, type, region;
    /// CIELab as DICOM has it, for pictures.
    std::array<unsigned, 3> colour{};
    /// A bit a voxel, the lowest first: columns, then rows, then slices in the order of the series.
    std::vector<std::uint8_t> bits;
};

/// What the object is to say beside what the series says.
struct SegmentationRequest {
    std::string seriesUID, instanceUID, dimensionUID, date, time;
    /// Of the series of the object.
    std::string description;
    /// Of the program: its version, and what tells apart that it computes with other weights and settings.
    std::string version, serialNumber;
    std::vector<Segment> segments;
};

/// Segments are in `settings` as "key=value", each begun by "segment=LABEL"; their bits come later.
/// - Returns: false where something is unknown or missing.
bool parse(const std::vector<std::string>& settings, SegmentationRequest& request);

/// Writes the object to standard output, when all of it is made.
/// - Parameter series: checked, without a refusal.
/// - Returns: false where the series' headers do not allow it; `reason` says why and names the file.
bool writeSegmentation(const Series& series, const SegmentationRequest& request, std::string& reason);

}  // namespace quintet
