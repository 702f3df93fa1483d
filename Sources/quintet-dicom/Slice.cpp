#include "Slice.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <sys/stat.h>

#include <cmath>

#include "Text.h"

namespace quintet {

namespace {

std::string text(DcmDataset& dataset, const DcmTagKey& tag) {
    OFString value;
    if (dataset.findAndGetOFStringArray(tag, value).bad()) return {};
    std::string found(value.c_str(), value.length());
    while (!found.empty() && (found.back() == ' ' || found.back() == '\0')) found.pop_back();
    while (!found.empty() && found.front() == ' ') found.erase(found.begin());
    return found.substr(0, 1024);
}

bool number(DcmDataset& dataset, const DcmTagKey& tag, double& value, unsigned long position = 0) {
    Float64 found = 0;
    if (dataset.findAndGetFloat64(tag, found, position).bad() || !std::isfinite(found)) return false;
    value = found;
    return true;
}

template <std::size_t count>
bool numbers(DcmDataset& dataset, const DcmTagKey& tag, std::array<double, count>& values) {
    for (std::size_t i = 0; i < count; i++) {
        if (!number(dataset, tag, values[i], i) || std::fabs(values[i]) > 1e6) return false;
    }
    return true;
}

int whole(DcmDataset& dataset, const DcmTagKey& tag, int otherwise) {
    Uint16 value = 0;
    return dataset.findAndGetUint16(tag, value).good() ? value : otherwise;
}

/// Those whose codecs are registered, and that keep the scanner's values.
bool isRead(E_TransferSyntax syntax) {
    switch (syntax) {
        case EXS_LittleEndianImplicit:
        case EXS_LittleEndianExplicit:
        case EXS_BigEndianExplicit:
        case EXS_DeflatedLittleEndianExplicit:
        case EXS_JPEGProcess14:
        case EXS_JPEGProcess14SV1:
        case EXS_JPEGLSLossless:
        case EXS_JPEGLSLossy:
        case EXS_RLELossless: return true;
        default: return false;
    }
}

std::string problemOfGrid(DcmDataset& dataset, Slice& slice) {
    if (slice.rows < 1 || slice.columns < 1) return "lacks Rows or Columns";
    if (slice.rows > axisVoxelCountMax || slice.columns > axisVoxelCountMax) {
        return "claims " + std::to_string(slice.rows) + " x " + std::to_string(slice.columns)
            + " voxels, more than any CT has";
    }
    if (!numbers(dataset, DCM_PixelSpacing, slice.spacing)) return "lacks PixelSpacing";
    for (double spacing : slice.spacing) {
        if (!(spacing >= 0.001 && spacing <= 1000)) return "has an impossible PixelSpacing";
    }
    if (!numbers(dataset, DCM_ImagePositionPatient, slice.position)) return "lacks ImagePositionPatient";
    if (!numbers(dataset, DCM_ImageOrientationPatient, slice.orientation)) return "lacks ImageOrientationPatient";
    const auto& o = slice.orientation;
    const double row = std::hypot(o[0], o[1], o[2]), column = std::hypot(o[3], o[4], o[5]);
    const double product = o[0] * o[3] + o[1] * o[4] + o[2] * o[5];
    if (std::fabs(row - 1) > 1e-3 || std::fabs(column - 1) > 1e-3 || std::fabs(product) > 1e-3) {
        return "has an ImageOrientationPatient that is no pair of directions at right angles";
    }
    return {};
}

std::string problemOfValues(DcmDataset& dataset, Slice& slice) {
    if (slice.samples != 1) return "has " + std::to_string(slice.samples) + " samples a voxel: a picture in colour";
    if (slice.photometric != "MONOCHROME2") {
        return "is stored as \"" + printable(slice.photometric) + "\", not as MONOCHROME2";
    }
    const bool fits = (slice.bitsAllocated == 8 || slice.bitsAllocated == 16) && slice.bitsStored >= 1
        && slice.bitsStored <= slice.bitsAllocated && slice.highBit >= slice.bitsStored - 1
        && slice.highBit < slice.bitsAllocated;
    if (!fits) {
        return "has voxels of " + std::to_string(slice.bitsStored) + " in " + std::to_string(slice.bitsAllocated)
            + " bits, highest " + std::to_string(slice.highBit) + ": 8 and 16 bits are read";
    }
    if (!number(dataset, DCM_RescaleSlope, slice.slope) || !number(dataset, DCM_RescaleIntercept, slice.intercept)) {
        return "lacks RescaleSlope or RescaleIntercept, without which nothing says what is HU";
    }
    if (slice.slope == 0 || std::fabs(slice.slope) > 1e6 || std::fabs(slice.intercept) > 1e9) {
        return "has an impossible rescaling";
    }
    if (!slice.rescaleType.empty() && slice.rescaleType != "HU" && slice.rescaleType != "US") {
        return "has values in \"" + printable(slice.rescaleType) + "\", not in HU";
    }
    return {};
}

std::string findProblem(DcmDataset& dataset, E_TransferSyntax syntax, Slice& slice) {
    if (slice.frames != 1) {
        return "holds " + std::to_string(slice.frames) + " frames in one file (enhanced CT), which is not read: export "
            "it as single slices";
    }
    if (!isRead(syntax)) {
        return "is compressed as " + slice.transferSyntaxName + ", which is not read: decompress it "
            "(gdcmconv --raw IN OUT for each file)";
    }
    const std::string grid = problemOfGrid(dataset, slice);
    return grid.empty() ? problemOfValues(dataset, slice) : grid;
}

}  // namespace

void describe(DcmDataset& dataset, int transferSyntax, Slice& slice) {
    const auto syntax = static_cast<E_TransferSyntax>(transferSyntax);
    slice.seriesUID = text(dataset, DCM_SeriesInstanceUID);
    slice.studyUID = text(dataset, DCM_StudyInstanceUID);
    slice.frameOfReferenceUID = text(dataset, DCM_FrameOfReferenceUID);
    slice.instanceUID = text(dataset, DCM_SOPInstanceUID);
    slice.classUID = text(dataset, DCM_SOPClassUID);
    slice.modality = text(dataset, DCM_Modality);
    slice.patientName = text(dataset, DCM_PatientName);
    slice.patientID = text(dataset, DCM_PatientID);
    slice.imageType = text(dataset, DCM_ImageType);
    slice.kernel = text(dataset, DCM_ConvolutionKernel);
    slice.photometric = text(dataset, DCM_PhotometricInterpretation);
    slice.rescaleType = text(dataset, DCM_RescaleType);
    slice.transferSyntaxName = DcmXfer(syntax).getXferName();
    slice.rows = whole(dataset, DCM_Rows, 0);
    slice.columns = whole(dataset, DCM_Columns, 0);
    slice.bitsAllocated = whole(dataset, DCM_BitsAllocated, 0);
    slice.bitsStored = whole(dataset, DCM_BitsStored, 0);
    slice.highBit = whole(dataset, DCM_HighBit, slice.bitsStored - 1);
    slice.samples = whole(dataset, DCM_SamplesPerPixel, 1);
    slice.isSigned = whole(dataset, DCM_PixelRepresentation, 0) == 1;
    Sint32 frames = 1;
    if (dataset.findAndGetSint32(DCM_NumberOfFrames, frames).good()) slice.frames = frames;
    slice.isLossy = syntax == EXS_JPEGLSLossy || text(dataset, DCM_LossyImageCompression) == "01";
    slice.isLocaliser = slice.imageType.find("LOCALIZER") != std::string::npos;
    // Enhanced CT is one, too, and refused as what it is. A file that names no class is what its modality says.
    slice.isCTImage = slice.classUID.empty() || slice.classUID == UID_CTImageStorage
        || slice.classUID == UID_EnhancedCTImageStorage || slice.classUID == UID_LegacyConvertedEnhancedCTImageStorage;
    number(dataset, DCM_GantryDetectorTilt, slice.tiltDegrees);
    slice.problem = findProblem(dataset, syntax, slice);
}

bool loadHeader(const std::string& path, DcmFileFormat& file, std::string& reason) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
        reason = "cannot be read";
        return false;
    }
    if (static_cast<std::size_t>(status.st_size) > fileByteCountMax) {
        reason = "has more than " + std::to_string(fileByteCountMax >> 20) + " MiB, which no slice has";
        return false;
    }
    const OFCondition outcome = file.loadFileUntilTag(
        path.c_str(), EXS_Unknown, EGL_noChange, 4096, ERM_autoDetect, DCM_PixelData);
    if (outcome.bad()) {
        reason = std::string("is no DICOM file that can be read (") + printable(outcome.text()) + ")";
        return false;
    }
    if (file.getDataset()->card() == 0) {
        reason = "is no DICOM file that can be read";
        return false;
    }
    return true;
}

bool readHeader(const std::string& path, std::size_t index, Slice& slice, std::string& reason) {
    slice = Slice{};
    slice.index = index;
    slice.path = path;
    DcmFileFormat file;
    if (!loadHeader(path, file, reason)) return false;
    DcmDataset& dataset = *file.getDataset();
    describe(dataset, dataset.getOriginalXfer(), slice);
    return true;
}

}  // namespace quintet
