// A file of DICOM, made by a fuzzer, through all that quintet-dicom does with files, in one process: header, series,
// voxels, identity and DICOM SEG. Built and run by fuzz.sh.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "Identity.h"
#include "Segmentation.h"
#include "Series.h"
#include "Voxels.h"

namespace {

using namespace quintet;

/// What quintet-dicom's voxels may take; larger pictures are read there as well, and would only be slow here.
constexpr std::size_t planeMax = 1 << 16;

int memoryFile = -1;
std::string path;
std::uint64_t headers = 0, volumes = 0, pictures = 0, objects = 0;

void tell() {
    std::fprintf(stderr, "fuzz: %llu headers, %llu volumes, %llu with all voxels, %llu DICOM SEG\n",
        static_cast<unsigned long long>(headers), static_cast<unsigned long long>(volumes),
        static_cast<unsigned long long>(pictures), static_cast<unsigned long long>(objects));
}

SegmentationRequest request(std::size_t voxelCount) {
    SegmentationRequest made;
    parse({"series-uid=2.25.1", "instance-uid=2.25.2", "dimension-uid=2.25.3", "date=20260101", "time=101010",
           "description=fuzz", "version=1", "serial-number=2", "segment=Lesions", "about=made up", "algorithm=none",
           "category=49755003", "category-meaning=Morphologically Abnormal Structure", "type=52988006",
           "type-meaning=Lesion", "region=39607008", "region-meaning=Lung", "colour=1 2 3"}, made);
    made.segments.front().bits.assign((voxelCount + 7) / 8, 0xA5);
    return made;
}

void use(Slice slice) {
    std::string reason;
    const std::size_t plane = static_cast<std::size_t>(slice.rows) * static_cast<std::size_t>(slice.columns);
    // Another slice of the series, wherever the first one lies: along its normal.
    Slice next = slice;
    const auto& o = slice.orientation;
    next.position = {
        slice.position[0] + 3 * (o[1] * o[5] - o[2] * o[4]), slice.position[1] + 3 * (o[2] * o[3] - o[0] * o[5]),
        slice.position[2] + 3 * (o[0] * o[4] - o[1] * o[3])};
    if (!next.instanceUID.empty()) next.instanceUID.back() = next.instanceUID.back() == '1' ? '2' : '1';
    next.index = 1;
    std::vector<Series> all = grouped({next, slice});
    for (Series& series : all) {
        check(series);
        if (json(series).empty()) std::abort();
        if (!series.isCT || !series.refusal.empty()) continue;
        volumes++;
        if (plane > planeMax) continue;
        std::vector<float> values(plane);
        if (readVoxels(slice, values.data(), reason)) pictures++;
        if (writeSegmentation(series, request(2 * plane), reason)) objects++;
    }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    registerCodecs();
    memoryFile = memfd_create("slice", 0);
    path = "/proc/self/fd/" + std::to_string(memoryFile);
    // What is made goes nowhere; the fuzzer speaks on standard error.
    if (memoryFile < 0 || std::freopen("/dev/null", "w", stdout) == nullptr) std::abort();
    std::atexit(tell);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (ftruncate(memoryFile, 0) != 0 || pwrite(memoryFile, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
    try {
        Slice slice;
        std::string reason, identity;
        if (!readHeader(path, 0, slice, reason)) return 0;
        headers++;
        describeIdentity(path, identity, reason);
        use(std::move(slice));
    } catch (const std::bad_alloc&) {
        // quintet-dicom refuses such a file.
    }
    return 0;
}
