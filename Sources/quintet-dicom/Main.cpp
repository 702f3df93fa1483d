// quintet-dicom: reads DICOM for `quintet`, in a process that holds nothing. The paths of files come by standard input,
// a zero byte behind each; what was asked for goes to standard output.
//
//   quintet-dicom list         a line of JSON for each series, and one for each file that cannot be read. Before a file
//                              is opened its number goes out ("@17"), so that one that ends this process is known
//   quintet-dicom check        tries what it must not be able to do
//   quintet-dicom read UID     the series as NIfTI-1; its numbers, warnings or refusal as JSON on standard error
//   quintet-dicom identity     whose the series of one file is, as JSON
//   quintet-dicom segment UID  masks of the series as DICOM SEG. Behind the paths come an empty one, then what the
//                              object is to say ("key=value", Segmentation.h) in the same way, another empty one, and
//                              the bits of each mask, begun in a byte of its own
//
// Exit codes: 0 done, 3 refused, anything else failed.

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <new>

#include "Confinement.h"
#include "Identity.h"
#include "NIfTI.h"
#include "Segmentation.h"
#include "Series.h"
#include "Text.h"
#include "Voxels.h"

namespace {

using namespace quintet;

constexpr int refused = 3, failed = 1, wrongUsage = 2;
constexpr std::size_t pathByteCountMax = std::size_t{1} << 30;
constexpr std::uint64_t headerMemoryByteCount = std::uint64_t{4} << 30;

/// Texts with a zero byte behind each, to an empty one or to the end.
bool readTexts(std::vector<std::string>& texts) {
    std::string text;
    std::size_t byteCount = 0;
    for (int c = std::getchar(); c != EOF; c = std::getchar()) {
        if (++byteCount > pathByteCountMax) return false;
        if (c != 0) {
            text += static_cast<char>(c);
            continue;
        }
        if (text.empty()) return true;
        texts.push_back(text);
        text.clear();
    }
    return text.empty();
}

/// Memory that one file asks for and nobody has costs that file, not the others.
bool readHeaderSafely(const std::string& path, std::size_t index, Slice& slice, std::string& reason) {
    try {
        return readHeader(path, index, slice, reason);
    } catch (const std::bad_alloc&) {
        reason = "needs more memory than any slice does";
        return false;
    }
}

int list(const std::vector<std::string>& paths) {
    limitResources(headerMemoryByteCount, 24 * 3600);
    std::vector<Slice> slices;
    for (std::size_t i = 0; i < paths.size(); i++) {
        std::printf("@%zu\n", i);
        std::fflush(stdout);
        Slice slice;
        std::string reason;
        if (readHeaderSafely(paths[i], i, slice, reason)) {
            // An index of other files, no object of a series.
            if (slice.classUID == UID_MediaStorageDirectoryStorage || slice.seriesUID.empty()) {
                if (slice.modality.empty()) continue;
            }
            slices.push_back(std::move(slice));
        } else {
            std::printf("{\"unreadable\":%zu,\"reason\":%s}\n", i, jsonText(reason).c_str());
        }
    }
    for (Series& series : grouped(std::move(slices))) {
        check(series);
        std::printf("%s\n", json(series).c_str());
    }
    return std::fflush(stdout) == 0 ? 0 : failed;
}

int refuse(const std::string& reason) {
    std::fprintf(stderr, "{\"refusal\":%s}\n", jsonText(reason).c_str());
    return refused;
}

/// Whether every value is one of int16.
bool areWhole(const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float value) {
        return value >= -32768.0f && value <= 32767.0f && value == std::rint(value);
    });
}

bool write(const Series& series, const std::vector<float>& values) {
    const bool isFloat = !areWhole(values);
    const auto front = niftiFront(series, isFloat);
    if (std::fwrite(front.data(), 1, front.size(), stdout) != front.size()) return false;
    if (isFloat) return std::fwrite(values.data(), sizeof(float), values.size(), stdout) == values.size();
    std::vector<std::int16_t> piece(1 << 16);
    for (std::size_t begin = 0; begin < values.size(); begin += piece.size()) {
        const std::size_t count = std::min(piece.size(), values.size() - begin);
        for (std::size_t i = 0; i < count; i++) piece[i] = static_cast<std::int16_t>(values[begin + i]);
        if (std::fwrite(piece.data(), sizeof(std::int16_t), count, stdout) != count) return false;
    }
    return true;
}

/// The series of this UID among these files, checked.
/// - Returns: false where it makes no volume of a CT; `reason` says why.
bool load(const std::string& uid, const std::vector<std::string>& paths, Series& series, std::string& reason) {
    std::vector<Slice> slices;
    for (std::size_t i = 0; i < paths.size(); i++) {
        Slice slice;
        std::fprintf(stderr, "@%zu\n", i);
        if (!readHeaderSafely(paths[i], i, slice, reason)) {
            reason = paths[i] + ": " + reason;
            return false;
        }
        if (printable(slice.seriesUID) == uid) slices.push_back(std::move(slice));
    }
    std::vector<Series> all = grouped(std::move(slices));
    if (all.size() != 1) {
        reason = all.empty() ? "the series is not there any more" : "several series of one name";
        return false;
    }
    series = std::move(all.front());
    check(series);
    reason = series.refusal;
    if (!series.isCT) reason = series.slices.front().path + ": is " + series.what + ", no CT";
    if (!reason.empty()) return false;
    const Slice& first = series.slices.front();
    const std::size_t plane = static_cast<std::size_t>(first.rows) * static_cast<std::size_t>(first.columns);
    if (plane <= voxelCountMax / series.slices.size()) return true;
    reason = first.path + ": its series has more voxels than any CT has";
    return false;
}

int readSeries(const std::string& uid, const std::vector<std::string>& paths) {
    limitResources(headerMemoryByteCount + voxelCountMax * sizeof(float), 3600);
    Series series;
    std::string reason;
    if (!load(uid, paths, series, reason)) return refuse(reason);
    const Slice& first = series.slices.front();
    const std::size_t plane = static_cast<std::size_t>(first.rows) * static_cast<std::size_t>(first.columns);
    std::vector<float> values(plane * series.slices.size());
    for (std::size_t i = 0; i < series.slices.size(); i++) {
        const Slice& slice = series.slices[i];
        std::fprintf(stderr, "@%zu\n", slice.index);
        if (!readVoxels(slice, values.data() + i * plane, reason)) return refuse(slice.path + ": " + reason);
    }
    if (!write(series, values) || std::fflush(stdout) != 0) return failed;
    std::fprintf(stderr, "%s\n", json(series).c_str());
    return 0;
}

int tellIdentity(const std::vector<std::string>& paths) {
    limitResources(headerMemoryByteCount, 600);
    std::string json, reason;
    if (paths.size() != 1) return wrongUsage;
    if (!describeIdentity(paths.front(), json, reason)) return refuse(paths.front() + ": " + reason);
    std::printf("%s\n", json.c_str());
    return std::fflush(stdout) == 0 ? 0 : failed;
}

int segment(const std::string& uid, const std::vector<std::string>& paths) {
    limitResources(headerMemoryByteCount + voxelCountMax * sizeof(float), 3600);
    std::vector<std::string> settings;
    SegmentationRequest request;
    if (!readTexts(settings) || !parse(settings, request)) return wrongUsage;
    Series series;
    std::string reason;
    if (!load(uid, paths, series, reason)) return refuse(reason);
    const Slice& first = series.slices.front();
    const std::size_t voxelCount = static_cast<std::size_t>(first.rows) * static_cast<std::size_t>(first.columns)
        * series.slices.size();
    for (Segment& segment : request.segments) {
        segment.bits.resize((voxelCount + 7) / 8);
        if (std::fread(segment.bits.data(), 1, segment.bits.size(), stdin) != segment.bits.size()) {
            return refuse(first.path + ": its series has other voxels than its masks");
        }
    }
    if (std::getchar() != EOF) return refuse(first.path + ": its series has other voxels than its masks");
    // Whose it is stands in the first slice.
    std::fprintf(stderr, "@%zu\n", first.index);
    return writeSegmentation(series, request, reason) ? 0 : refuse(reason);
}

int run(int count, char** words) {
    const std::string command = count > 1 ? words[1] : "";
    const bool isCheck = command == "check" && count == 2;
    const bool isOfOne = (command == "read" || command == "segment") && count == 3;
    const bool isOfAll = (command == "list" || command == "identity") && count == 2;
    if (!isCheck && !isOfAll && !isOfOne) {
        std::fprintf(stderr, "quintet-dicom: a part of quintet, which starts it; see quintet dicom --help\n");
        return wrongUsage;
    }
    if (isCheck) {
        confine();
        return checkConfinement() ? 0 : failed;
    }
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    // Before files are out of reach for good: what implicit files mean stands there.
    if (!dcmDataDict.isDictionaryLoaded()) {
        std::fprintf(stderr, "quintet-dicom: DCMTK's dictionary is not there; install DCMTK again\n");
        return failed;
    }
    registerCodecs();
    std::vector<std::string> paths;
    if (!readTexts(paths)) return wrongUsage;
    confine();
    if (command == "list") return list(paths);
    if (command == "identity") return tellIdentity(paths);
    return command == "read" ? readSeries(words[2], paths) : segment(words[2], paths);
}

}  // namespace

int main(int count, char** words) {
    try {
        return run(count, words);
    } catch (const std::bad_alloc&) {
        return refuse("needs more memory than any CT does");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "quintet-dicom: %s\n", error.what());
        return failed;
    }
}
