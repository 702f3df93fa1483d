// Slices of one series, in order, and whether they make a volume.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "Slice.h"

namespace quintet {

/// A series by its SeriesInstanceUID.
struct Series {
    std::string uid;
    /// Those of the volume, sorted along the normal where they make one.
    std::vector<Slice> slices;
    /// Files of the series that are left out, by their numbers: localisers, pictures of the console, copies.
    std::vector<std::size_t> leftOut;
    std::size_t fileCount = 0;
    std::vector<std::string> warnings;
    /// Why it makes no volume, with the file; empty where it does.
    std::string refusal;
    /// A CT's slices, whether they make a volume or not: what is none is no input, and nothing is wrong with it.
    bool isCT = false;
    /// What it is where it is no CT, for people.
    std::string what;
    /// Voxel index (column, row, slice, 1) to millimetres (left, posterior, superior): three rows of four.
    std::array<double, 12> affine{};
    double sliceSpacing = 0;
};

/// Puts slices into their series, by UID, in the order of first sight.
std::vector<Series> grouped(std::vector<Slice> slices);

/// Sorts and checks; afterwards the series has a refusal, or an affine.
void check(Series& series);

/// A line of JSON.
std::string json(const Series& series);

}  // namespace quintet
