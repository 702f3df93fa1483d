#include "Series.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>

#include "Text.h"

namespace quintet {

namespace {

using Vector = std::array<double, 3>;

double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Vector cross(const Vector& a, const Vector& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

Vector scaledToOne(const Vector& a) {
    const double length = std::sqrt(dot(a, a));
    return {a[0] / length, a[1] / length, a[2] / length};
}

Vector rowDirection(const Slice& s) { return scaledToOne({s.orientation[0], s.orientation[1], s.orientation[2]}); }
Vector columnDirection(const Slice& s) { return scaledToOne({s.orientation[3], s.orientation[4], s.orientation[5]}); }

bool haveEqualBytes(const Slice& a, const Slice& b) {
    std::ifstream one(a.path, std::ios::binary), other(b.path, std::ios::binary);
    if (!one || !other) return false;
    return std::equal(
        std::istreambuf_iterator<char>(one), std::istreambuf_iterator<char>(),
        std::istreambuf_iterator<char>(other), std::istreambuf_iterator<char>());
}

/// Takes out what is no slice of the volume, and says so.
void leaveOutStrangers(Series& series) {
    std::size_t localisers = 0, others = 0;
    std::string example;
    std::vector<Slice> kept;
    for (auto& slice : series.slices) {
        if (slice.isCTImage && !slice.isLocaliser) {
            kept.push_back(std::move(slice));
            continue;
        }
        if (example.empty()) example = slice.path;
        series.leftOut.push_back(slice.index);
        (slice.isLocaliser ? localisers : others)++;
    }
    if (localisers > 0) {
        series.warnings.push_back("Localisers were left out (" + std::to_string(localisers) + ", such as " + example
            + ").");
    } else if (others > 0) {
        series.warnings.push_back("Objects that are no CT slices were left out (" + std::to_string(others)
            + ", such as " + example + ").");
    }
    series.slices = std::move(kept);
}

/// What must be the same in all slices. - Returns: what differs, or nothing.
std::string difference(const Slice& slice, const Slice& first) {
    if (slice.rows != first.rows || slice.columns != first.columns) {
        return "has " + std::to_string(slice.columns) + " x " + std::to_string(slice.rows) + " voxels, and "
            + first.path + " " + std::to_string(first.columns) + " x " + std::to_string(first.rows)
            + ": mixed sizes make no volume";
    }
    for (int i = 0; i < 2; i++) {
        if (std::fabs(slice.spacing[i] - first.spacing[i]) > 1e-3 * first.spacing[i]) {
            return "has another PixelSpacing than " + first.path + ": mixed spacings make no volume";
        }
    }
    for (int i = 0; i < 6; i++) {
        if (std::fabs(slice.orientation[i] - first.orientation[i]) > 1e-3) {
            return "has another ImageOrientationPatient than " + first.path + ": mixed orientations make no volume";
        }
    }
    if (slice.frameOfReferenceUID != first.frameOfReferenceUID) {
        return "has another FrameOfReferenceUID than " + first.path + ": positions of two frames do not compare";
    }
    if (slice.studyUID != first.studyUID) return "is of another study than " + first.path;
    return {};
}

/// One file twice is one slice; two slices at one place are not one volume.
void settleDoubles(Series& series) {
    std::vector<Slice> kept;
    std::size_t copies = 0;
    std::string example;
    for (const auto& slice : series.slices) {
        if (!kept.empty() && std::fabs(slice.distance - kept.back().distance) < 0.01) {
            const Slice& other = kept.back();
            if (slice.instanceUID != other.instanceUID || !haveEqualBytes(slice, other)) {
                series.refusal = slice.path + " and " + other.path + " lie at the same place ("
                    + shown(slice.distance) + " mm along the normal): doubled slices, of two phases or scans perhaps; "
                    "put them apart";
                return;
            }
            if (copies++ == 0) example = slice.path;
            series.leftOut.push_back(slice.index);
            continue;
        }
        kept.push_back(slice);
    }
    if (copies > 0) {
        series.warnings.push_back("Copies of slices, the same to the byte, were left out ("
            + std::to_string(copies) + ", such as " + example + ").");
    }
    series.slices = std::move(kept);
}

/// Gaps between sorted slices.
void checkGaps(Series& series) {
    const auto& slices = series.slices;
    std::vector<double> gaps;
    for (std::size_t i = 1; i < slices.size(); i++) gaps.push_back(slices[i].distance - slices[i - 1].distance);
    std::vector<double> sorted = gaps;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2), sorted.end());
    const double usual = sorted[sorted.size() / 2];
    // Positions are often written with one digit behind the point.
    const double tolerance = std::max(0.06, 0.05 * usual);
    for (std::size_t i = 0; i < gaps.size(); i++) {
        if (std::fabs(gaps[i] - usual) <= 2 * tolerance && gaps[i] < 1.5 * usual) continue;
        const double missing = gaps[i] / usual - 1;
        const bool isMissing = missing > 0.5 && std::fabs(missing - std::round(missing)) < 0.1;
        series.refusal = "between " + slices[i].path + " and " + slices[i + 1].path + " lie " + shown(gaps[i])
            + " mm, elsewhere " + shown(usual)
            + (isMissing
                ? ": missing slices (" + shown(std::round(missing), 0) + "); get the whole series from its source"
                : ": uneven spacing makes no volume; export it with even slices");
        return;
    }
    const double first = slices.front().distance;
    series.sliceSpacing = (slices.back().distance - first) / static_cast<double>(gaps.size());
    double worst = 0;
    for (std::size_t i = 0; i < slices.size(); i++) {
        worst = std::max(worst, std::fabs(slices[i].distance - first - static_cast<double>(i) * series.sliceSpacing));
    }
    // Each gap may be a rounding; all of them together may not lead away.
    if (worst > 2 * tolerance) {
        series.refusal = slices.front().path + ": its series' slices lie up to " + shown(worst)
            + " mm beside where even ones of " + shown(series.sliceSpacing, 3) + " mm would: uneven spacing makes no "
            "volume; export it with even slices";
    } else if (worst > 0.02) {
        series.warnings.push_back("Slices lie up to " + shown(worst) + " mm beside even ones, and are taken as even.");
    }
}

/// Each slice must lie above the first one: else it is a gantry's tilt, or a shift.
void checkUpright(Series& series) {
    const Slice& first = series.slices.front();
    const Vector row = rowDirection(first), column = columnDirection(first);
    double worst = 0, degrees = 0;
    const Slice* at = &first;
    for (const Slice& slice : series.slices) {
        const Vector way{
            slice.position[0] - first.position[0], slice.position[1] - first.position[1],
            slice.position[2] - first.position[2]};
        const double aside = std::hypot(dot(way, row), dot(way, column));
        if (aside <= worst) continue;
        worst = aside;
        at = &slice;
        degrees = std::atan2(aside, slice.distance - first.distance) * 180 / M_PI;
    }
    if (worst > std::max(0.25, 0.5 * std::min(first.spacing[0], first.spacing[1]))) {
        series.refusal = at->path + " lies " + shown(worst) + " mm aside of " + first.path + ", "
            + shown(degrees, 1) + " degrees: a tilted gantry, or slices that are shifted; have the series made "
            "upright (dcm2niix does it), and take that";
        return;
    }
    if (std::fabs(first.tiltDegrees) > 0.5) {
        series.warnings.push_back("GantryDetectorTilt says " + shown(first.tiltDegrees, 1)
            + " degrees, and the positions of the slices show none: they count.");
    }
}

void makeAffine(Series& series) {
    const Slice& first = series.slices.front();
    const Vector row = rowDirection(first), column = columnDirection(first);
    const Vector normal = scaledToOne(cross(row, column));
    for (std::size_t r = 0; r < 3; r++) {
        // Along a row the column changes: PixelSpacing has the distance of rows first.
        series.affine[4 * r] = row[r] * first.spacing[1];
        series.affine[4 * r + 1] = column[r] * first.spacing[0];
        series.affine[4 * r + 2] = normal[r] * series.sliceSpacing;
        series.affine[4 * r + 3] = first.position[r];
    }
}

void warnOfValues(Series& series) {
    const Slice& first = series.slices.front();
    for (const Slice& slice : series.slices) {
        if (!slice.isLossy) continue;
        series.warnings.push_back(slice.path + " and perhaps others were compressed with loss: HU are not the "
            "scanner's.");
        break;
    }
    if (first.rescaleType == "US") series.warnings.push_back("RescaleType says that values have no unit.");
}

/// - Returns: what it is where nothing of it is a CT's slice.
std::string kind(const Series& series) {
    const Slice& first = series.slices.front();
    if (first.modality != "CT") {
        return "modality " + (first.modality.empty() ? "unknown" : printable(first.modality));
    }
    const auto is = [&](auto what) { return std::all_of(series.slices.begin(), series.slices.end(), what); };
    if (is([](const Slice& slice) { return slice.isLocaliser; })) return "localiser";
    if (is([](const Slice& slice) { return !slice.isCTImage; })) return "no CT images (a screen, or a report)";
    return {};
}

}  // namespace

std::vector<Series> grouped(std::vector<Slice> slices) {
    std::vector<Series> all;
    std::map<std::string, std::size_t> places;
    for (auto& slice : slices) {
        const auto [place, isNew] = places.emplace(slice.seriesUID, all.size());
        if (isNew) {
            all.emplace_back();
            all.back().uid = slice.seriesUID;
        }
        Series& series = all[place->second];
        series.fileCount++;
        series.slices.push_back(std::move(slice));
    }
    return all;
}

void check(Series& series) {
    series.what = kind(series);
    series.isCT = series.what.empty();
    if (!series.isCT) return;
    leaveOutStrangers(series);
    auto& slices = series.slices;
    if (series.uid.empty()) {
        series.refusal = slices.front().path + ": lacks SeriesInstanceUID, so that nothing says which slices belong "
            "together";
        return;
    }
    for (const Slice& slice : slices) {
        const std::string problem = slice.problem.empty() ? difference(slice, slices.front()) : slice.problem;
        if (problem.empty()) continue;
        series.refusal = slice.path + ": " + problem;
        return;
    }
    if (slices.size() > sliceCountMax) {
        series.refusal = slices.front().path + ": its series has " + std::to_string(slices.size())
            + " slices, more than any CT has";
        return;
    }
    const Vector normal = scaledToOne(cross(rowDirection(slices.front()), columnDirection(slices.front())));
    for (Slice& slice : slices) slice.distance = dot(slice.position, normal);
    std::sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) {
        return a.distance != b.distance ? a.distance < b.distance : a.index < b.index;
    });
    settleDoubles(series);
    if (!series.refusal.empty()) return;
    if (slices.size() < 2) {
        series.refusal = slices.front().path + ": is the only slice of its series; a volume has more";
        return;
    }
    checkGaps(series);
    // A tilt moves slices aside, not along their normal.
    if (series.refusal.empty()) checkUpright(series);
    if (!series.refusal.empty()) return;
    makeAffine(series);
    warnOfValues(series);
}

std::string json(const Series& series) {
    const Slice& first = series.slices.front();
    std::string indices, leftOut;
    std::vector<std::string> names;
    for (const Slice& slice : series.slices) {
        indices += (indices.empty() ? "" : ",") + std::to_string(slice.index);
        if (std::find(names.begin(), names.end(), slice.transferSyntaxName) == names.end()) {
            names.push_back(slice.transferSyntaxName);
        }
    }
    for (std::size_t index : series.leftOut) leftOut += (leftOut.empty() ? "" : ",") + std::to_string(index);
    std::string orientation;
    for (double value : first.orientation) orientation += (orientation.empty() ? "" : ",") + number(value);
    return "{\"uid\":" + jsonText(printable(series.uid)) + ",\"modality\":" + jsonText(printable(first.modality))
        + ",\"isCT\":" + (series.isCT ? "true" : "false") + ",\"what\":" + jsonText(series.what)
        + ",\"fileCount\":" + std::to_string(series.fileCount)
        + ",\"leftOut\":[" + leftOut + "]"
        + ",\"columns\":" + std::to_string(first.columns) + ",\"rows\":" + std::to_string(first.rows)
        + ",\"slices\":" + std::to_string(series.slices.size())
        + ",\"spacing\":[" + number(first.spacing[1]) + "," + number(first.spacing[0]) + ","
        + number(series.sliceSpacing) + "],\"orientation\":[" + orientation + "],\"kernel\":"
        + jsonText(printable(first.kernel)) + ",\"transferSyntaxes\":" + jsonText(names)
        + ",\"warnings\":" + jsonText(series.warnings) + ",\"refusal\":" + jsonText(series.refusal)
        + ",\"files\":[" + indices + "]}";
}

}  // namespace quintet
