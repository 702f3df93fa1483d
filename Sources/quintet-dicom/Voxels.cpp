#include "Voxels.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include <cstdint>

#include "Text.h"

namespace quintet {

namespace {

/// Stored values are the bits up to `highBit`; above them may lie an overlay.
template <typename Stored>
void rescale(const Stored* stored, const Slice& slice, float* out) {
    const std::size_t count = static_cast<std::size_t>(slice.rows) * static_cast<std::size_t>(slice.columns);
    const int shift = slice.highBit - slice.bitsStored + 1;
    const std::uint32_t mask = (std::uint32_t{1} << slice.bitsStored) - 1;
    const std::uint32_t sign = std::uint32_t{1} << (slice.bitsStored - 1);
    for (std::size_t i = 0; i < count; i++) {
        const std::uint32_t bits = (static_cast<std::uint32_t>(stored[i]) >> shift) & mask;
        const std::int32_t value = slice.isSigned && (bits & sign) != 0
            ? static_cast<std::int32_t>(bits) - static_cast<std::int32_t>(mask) - 1 : static_cast<std::int32_t>(bits);
        out[i] = static_cast<float>(slice.slope * value + slice.intercept);
    }
}

bool isSame(const Slice& now, const Slice& before) {
    return now.problem.empty() && now.seriesUID == before.seriesUID && now.instanceUID == before.instanceUID
        && now.rows == before.rows && now.columns == before.columns && now.position == before.position
        && now.orientation == before.orientation && now.spacing == before.spacing;
}

}  // namespace

bool readVoxels(DcmDataset& dataset, const Slice& slice, float* out, std::string& reason) {
    const OFCondition outcome = dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
    if (outcome.bad() || !dataset.canWriteXfer(EXS_LittleEndianExplicit)) {
        reason = "its voxels cannot be decompressed (" + printable(outcome.text()) + ")";
        return false;
    }
    DcmElement* element = nullptr;
    if (dataset.findAndGetElement(DCM_PixelData, element).bad() || element == nullptr) {
        reason = "has no voxels";
        return false;
    }
    const std::size_t count = static_cast<std::size_t>(slice.rows) * static_cast<std::size_t>(slice.columns);
    const std::size_t needed = count * static_cast<std::size_t>(slice.bitsAllocated / 8);
    const std::size_t found = element->getLength();
    // A byte to make it even.
    if (found < needed || found > needed + 1) {
        reason = "has " + std::to_string(found) + " bytes of voxels, not " + std::to_string(needed);
        return false;
    }
    if (slice.bitsAllocated == 16) {
        Uint16* words = nullptr;
        if (element->getUint16Array(words).bad() || words == nullptr) {
            reason = "its voxels cannot be read";
            return false;
        }
        rescale(words, slice, out);
        return true;
    }
    // Of 8 bits, in bytes or in words: in memory they lie in this machine's order, which is the low byte first.
    Uint8* bytes = nullptr;
    if (element->getUint8Array(bytes).bad() || bytes == nullptr) {
        reason = "its voxels cannot be read";
        return false;
    }
    rescale(bytes, slice, out);
    return true;
}

bool readVoxels(const Slice& slice, float* out, std::string& reason) {
    DcmFileFormat file;
    const OFCondition outcome = file.loadFile(
        slice.path.c_str(), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_autoDetect);
    if (outcome.bad()) {
        reason = std::string("cannot be read to its end (") + printable(outcome.text()) + "): it is cut or damaged";
        return false;
    }
    DcmDataset& dataset = *file.getDataset();
    Slice now;
    describe(dataset, dataset.getOriginalXfer(), now);
    if (!isSame(now, slice)) {
        reason = "has changed while it was read";
        return false;
    }
    return readVoxels(dataset, now, out, reason);
}

void registerCodecs() {
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
    DcmRLEDecoderRegistration::registerCodecs();
}

}  // namespace quintet
