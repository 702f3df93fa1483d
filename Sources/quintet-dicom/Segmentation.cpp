#include "Segmentation.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrms.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmfg/fgderimg.h>
#include <dcmtk/dcmfg/fgfracon.h>
#include <dcmtk/dcmfg/fgpixmsr.h>
#include <dcmtk/dcmfg/fgplanor.h>
#include <dcmtk/dcmfg/fgplanpo.h>
#include <dcmtk/dcmiod/iodreferences.h>
#include <dcmtk/dcmseg/segdoc.h>
#include <dcmtk/dcmseg/segment.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>

#include "Text.h"

namespace quintet {

namespace {

/// A decimal string holds 16 characters: as many digits as fit.
OFString decimal(double value) {
    char text[40];
    for (int digits = 15; digits > 0; digits--) {
        const int length = std::snprintf(text, sizeof text, "%.*g", digits, value == 0 ? 0 : value);
        if (length <= 16) break;
    }
    return text;
}

CodeSequenceMacro code(const Concept& concept) {
    return CodeSequenceMacro(concept.code.c_str(), "SCT", concept.meaning.c_str());
}

/// What went wrong first.
class Outcome {
public:
    Outcome& operator+=(const OFCondition& condition) {
        if (isGood() && condition.bad()) reason_ = printable(condition.text());
        return *this;
    }
    bool isGood() const { return reason_.empty(); }
    const std::string& reason() const { return reason_; }

private:
    std::string reason_;
};

bool isUID(const std::string& text) {
    return !text.empty() && DcmUniqueIdentifier::checkStringValue(text.c_str(), "1").good();
}

/// What a slice of the series lacks to be referred to.
std::string problemOfReferences(const Series& series) {
    const Slice& first = series.slices.front();
    std::set<std::string> instances;
    for (const Slice& slice : series.slices) {
        const char* lacking = !isUID(slice.instanceUID) ? "SOPInstanceUID"
            : !isUID(slice.classUID) ? "SOPClassUID"
            : !isUID(slice.seriesUID) ? "SeriesInstanceUID"
            : !isUID(slice.studyUID) ? "StudyInstanceUID"
            : !isUID(slice.frameOfReferenceUID) ? "FrameOfReferenceUID" : nullptr;
        if (lacking != nullptr) return slice.path + ": lacks a valid " + lacking + ", which a DICOM SEG refers to";
        if (!instances.insert(slice.instanceUID).second) {
            return slice.path + ": has the SOPInstanceUID of another slice, so that nothing can refer to it";
        }
        if (slice.patientID != first.patientID || slice.patientName != first.patientName) {
            return slice.path + ": is of another patient than " + first.path + ": whose DICOM SEG would it be?";
        }
    }
    return {};
}

std::unique_ptr<DcmSegmentation> begin(const Series& series, const SegmentationRequest& request, Outcome& outcome) {
    const Slice& first = series.slices.front();
    ContentIdentificationMacro* content = nullptr;
    outcome += ContentIdentificationMacro::create("1", "SEGMENTATION", request.description.c_str(), "", content);
    const std::unique_ptr<ContentIdentificationMacro> contentOwner(content);
    if (content == nullptr) return nullptr;
    const IODGeneralEquipmentModule::EquipmentInfo equipment(
        "Quintet", "quintet segment", request.serialNumber.c_str(), request.version.c_str());
    DcmSegmentation* object = nullptr;
    outcome += DcmSegmentation::createBinarySegmentation(
        object, static_cast<Uint16>(first.rows), static_cast<Uint16>(first.columns), equipment, *content);
    return std::unique_ptr<DcmSegmentation>(object);
}

/// Whose it is, which series it is, where and when it was made.
void identify(DcmSegmentation& object, const Series& series, DcmItem& header, const SegmentationRequest& request,
              Outcome& outcome) {
    outcome += object.importFromSourceImage(header);
    // The scanner's, which comes with the study, did not make this.
    outcome += object.setEquipmentInfo(IODGeneralEquipmentModule::EquipmentInfo(
        "Quintet", "quintet segment", request.serialNumber.c_str(), request.version.c_str()));
    IODGeneralEquipmentModule& equipment = object.getEquipment();
    outcome += equipment.setInstitutionName("");
    outcome += equipment.setInstitutionAddress("");
    outcome += equipment.setStationName("");
    outcome += equipment.setInstutionalDepartmentName("");
    IODGeneralSeriesModule& own = object.getSeries();
    outcome += own.setSeriesInstanceUID(request.seriesUID.c_str());
    outcome += own.setSeriesNumber("900");
    outcome += own.setSeriesDescription(request.description.c_str());
    outcome += own.setSeriesDate(request.date.c_str());
    outcome += own.setSeriesTime(request.time.c_str());
    outcome += object.getSOPCommon().setSOPInstanceUID(request.instanceUID.c_str());
    outcome += object.getSOPCommon().setInstanceCreationDate(request.date.c_str());
    outcome += object.getSOPCommon().setInstanceCreationTime(request.time.c_str());
    outcome += object.getGeneralImage().setContentDate(request.date.c_str());
    outcome += object.getGeneralImage().setContentTime(request.time.c_str());
    const Slice& first = series.slices.front();
    IODReferences references;
    for (const Slice& slice : series.slices) {
        references.add(new IODImageReference(
            first.patientID.c_str(), first.studyUID.c_str(), series.uid.c_str(), slice.instanceUID.c_str(),
            slice.classUID.c_str()));
    }
    const std::size_t added = object.getCommonInstanceReference().addReferences(references, first.studyUID.c_str());
    if (added != series.slices.size()) outcome += EC_InvalidValue;
}

void addGrid(DcmSegmentation& object, const Series& series, DcmItem& header, const SegmentationRequest& request,
             Outcome& outcome) {
    const Slice& first = series.slices.front();
    FGPixelMeasures measures;
    outcome += measures.setPixelSpacing(decimal(first.spacing[0]) + "\\" + decimal(first.spacing[1]));
    outcome += measures.setSpacingBetweenSlices(decimal(series.sliceSpacing));
    Float64 thickness = 0;
    const bool isThick = header.findAndGetFloat64(DCM_SliceThickness, thickness).good() && thickness >= 0.001
        && thickness <= 1000;
    outcome += measures.setSliceThickness(decimal(isThick ? thickness : series.sliceSpacing));
    outcome += object.addForAllFrames(measures);
    const auto& o = first.orientation;
    FGPlaneOrientationPatient orientation;
    outcome += orientation.setImageOrientationPatient(
        decimal(o[0]), decimal(o[1]), decimal(o[2]), decimal(o[3]), decimal(o[4]), decimal(o[5]));
    outcome += object.addForAllFrames(orientation);
    IODMultiframeDimensionModule& dimensions = object.getDimensions();
    const OFString uid = request.dimensionUID.c_str();
    outcome += dimensions.addDimensionIndex(
        DCM_ReferencedSegmentNumber, uid, DCM_SegmentIdentificationSequence, "Segment");
    outcome += dimensions.addDimensionIndex(
        DCM_ImagePositionPatient, uid, DCM_PlanePositionSequence, "Position");
}

bool addSegment(DcmSegmentation& object, const Segment& segment, const SegmentationRequest& request, Uint16& number,
                Outcome& outcome) {
    DcmSegment* made = nullptr;
    outcome += DcmSegment::create(
        made, segment.label.c_str(), code(segment.category), code(segment.type),
        segment.isAutomatic ? DcmSegTypes::SAT_AUTOMATIC : DcmSegTypes::SAT_SEMIAUTOMATIC, segment.algorithm.c_str());
    if (made == nullptr) return false;
    std::unique_ptr<DcmSegment> owner(made);
    outcome += made->setSegmentDescription(segment.description.c_str());
    const auto& c = segment.colour;
    outcome += made->setRecommendedDisplayCIELabValue(
        static_cast<Uint16>(c[0]), static_cast<Uint16>(c[1]), static_cast<Uint16>(c[2]));
    if (!segment.region.code.empty()) {
        outcome += made->getGeneralAnatomyCode().getAnatomicRegion().set(
            segment.region.code.c_str(), "SCT", segment.region.meaning.c_str());
    }
    if (segment.isAutomatic) {
        AlgorithmIdentificationMacro& algorithm = made->getSegmentationAlgorithmIdentification();
        outcome += algorithm.getAlgorithmFamilyCode().set("123109", "DCM", "Artificial Intelligence");
        outcome += algorithm.setAlgorithmName(segment.algorithm.c_str());
        outcome += algorithm.setAlgorithmVersion(request.version.c_str());
    }
    if (!outcome.isGood()) return false;
    const OFCondition added = object.addSegment(made, number);
    outcome += added;
    // The object's from now on.
    if (added.good()) owner.release();
    return added.good();
}

/// Bits of all frames, one behind the other without a gap. DCMTK 3.6.7 loses some where a frame does not fill bytes.
struct FrameBits {
    std::vector<Uint8> bytes;
    std::size_t count = 0;

    void add(const std::vector<Uint8>& pixels) {
        bytes.resize((count + pixels.size() + 7) / 8);
        for (std::size_t i = 0; i < pixels.size(); i++, count++) {
            bytes[count / 8] = static_cast<Uint8>(bytes[count / 8] | pixels[i] << (count % 8));
        }
    }
};

/// One slice of a segment; the pixels are zeros and ones.
void addFrame(DcmSegmentation& object, const Slice& slice, std::size_t position, Uint16 segment,
              std::vector<Uint8>& pixels, FrameBits& bits, Outcome& outcome) {
    bits.add(pixels);
    FGFrameContent content;
    outcome += content.setStackID("1");
    outcome += content.setInStackPositionNumber(static_cast<Uint32>(position + 1));
    outcome += content.setDimensionIndexValues(segment, 0);
    outcome += content.setDimensionIndexValues(static_cast<Uint32>(position + 1), 1);
    FGPlanePosPatient place;
    const auto& p = slice.position;
    outcome += place.setImagePositionPatient(decimal(p[0]), decimal(p[1]), decimal(p[2]));
    FGDerivationImage derivation;
    DerivationImageItem* item = nullptr;
    outcome += derivation.addDerivationImageItem(
        CodeSequenceMacro("113076", "DCM", "Segmentation"), "", item);
    if (item == nullptr) return;
    const auto source = new SourceImageItem();
    item->getSourceImageItems().push_back(source);
    outcome += source->getPurposeOfReferenceCode().set(
        "121322", "DCM", "Source image for image processing operation");
    outcome += source->getImageSOPInstanceReference().setReferencedSOPClassUID(slice.classUID.c_str());
    outcome += source->getImageSOPInstanceReference().setReferencedSOPInstanceUID(slice.instanceUID.c_str());
    OFVector<FGBase*> groups;
    groups.push_back(&content);
    groups.push_back(&place);
    groups.push_back(&derivation);
    if (outcome.isGood()) outcome += object.addFrame(pixels.data(), segment, groups);
}

/// Slices in which there is nothing are left out; where there is nothing at all, one says so.
void addFrames(DcmSegmentation& object, const Series& series, const Segment& segment, Uint16 number,
               FrameBits& bits, Outcome& outcome) {
    const Slice& first = series.slices.front();
    const std::size_t plane = static_cast<std::size_t>(first.rows) * static_cast<std::size_t>(first.columns);
    std::vector<Uint8> pixels(plane);
    bool isEmpty = true;
    for (std::size_t k = 0; k < series.slices.size() && outcome.isGood(); k++) {
        Uint8 any = 0;
        for (std::size_t i = 0; i < plane; i++) {
            const std::size_t voxel = k * plane + i;
            any |= pixels[i] = segment.bits[voxel / 8] >> (voxel % 8) & 1;
        }
        if (any == 0) continue;
        isEmpty = false;
        addFrame(object, series.slices[k], k, number, pixels, bits, outcome);
    }
    if (!isEmpty) return;
    std::fill(pixels.begin(), pixels.end(), Uint8{0});
    addFrame(object, first, 0, number, pixels, bits, outcome);
}

/// A header without values that break DICOM's rules: an object that has them cannot be written by DCMTK.
std::unique_ptr<DcmDataset> withoutInvalid(DcmDataset& header) {
    std::unique_ptr<DcmDataset> copy(OFstatic_cast(DcmDataset*, header.clone()));
    for (unsigned long i = copy->card(); i > 0; i--) {
        DcmElement* element = copy->getElement(i - 1);
        if (element == nullptr || !element->isLeaf() || element->checkValue().good()) continue;
        delete copy->remove(i - 1);
    }
    return copy;
}

/// What says that the patient's name is none, and what else DCMTK's modules leave behind. Names and numbers by which a
/// patient and a study are found stay as they stand in the series, whatever they break: a letter for which no character
/// set is named, most often.
void copyRest(DcmItem& header, const Series& series, DcmDataset& dataset, Outcome& outcome) {
    const DcmTagKey tags[] = {
        DCM_PatientName, DCM_PatientID, DCM_IssuerOfPatientID, DCM_StudyID, DCM_AccessionNumber, DCM_StudyDescription,
        DCM_ReferringPhysicianName, DCM_PatientIdentityRemoved, DCM_DeidentificationMethod,
        DCM_DeidentificationMethodCodeSequence,
    };
    for (const DcmTagKey& tag : tags) {
        DcmElement* element = nullptr;
        if (header.findAndGetElement(tag, element).bad() || element == nullptr || element->isEmpty()) continue;
        outcome += dataset.insert(OFstatic_cast(DcmElement*, element->clone()), OFTrue);
    }
    for (const Slice& slice : series.slices) {
        if (slice.isLossy) outcome += dataset.putAndInsertString(DCM_LossyImageCompression, "01");
    }
}

OFCondition putPixels(DcmDataset& dataset, FrameBits& bits) {
    if (bits.bytes.size() % 2 == 1) bits.bytes.push_back(0);
    if (bits.bytes.size() >= 0xFFFFFFFF) return EC_TooManyBytesRequested;
    auto element = std::make_unique<DcmPixelData>(DCM_PixelData);
    const OFCondition put = element->putUint8Array(bits.bytes.data(), static_cast<unsigned long>(bits.bytes.size()));
    return put.bad() ? put : dataset.insert(element.release(), OFTrue);
}

bool send(DcmFileFormat& file) {
    DcmStdoutStream output(stdout);
    file.transferInit();
    const OFCondition written = file.write(output, EXS_LittleEndianExplicit, EET_ExplicitLength, nullptr);
    file.transferEnd();
    output.flush();
    return written.good() && std::fflush(stdout) == 0;
}

bool take(const std::string& key, const std::string& value, SegmentationRequest& request) {
    if (key == "segment") {
        request.segments.emplace_back();
        request.segments.back().label = value;
        return true;
    }
    std::string* const texts[] = {
        &request.seriesUID, &request.instanceUID, &request.dimensionUID, &request.date, &request.time,
        &request.description, &request.version, &request.serialNumber,
    };
    const char* const keys[] = {
        "series-uid", "instance-uid", "dimension-uid", "date", "time", "description", "version", "serial-number"};
    for (std::size_t i = 0; i < std::size(keys); i++) {
        if (key != keys[i]) continue;
        *texts[i] = value;
        return true;
    }
    if (request.segments.empty()) return false;
    Segment& segment = request.segments.back();
    std::string* const parts[] = {
        &segment.description, &segment.algorithm, &segment.category.code, &segment.category.meaning,
        &segment.type.code, &segment.type.meaning, &segment.region.code, &segment.region.meaning,
    };
    const char* const names[] = {
        "about", "algorithm", "category", "category-meaning", "type", "type-meaning", "region", "region-meaning"};
    for (std::size_t i = 0; i < std::size(names); i++) {
        if (key != names[i]) continue;
        *parts[i] = value;
        return true;
    }
    if (key == "automatic") {
        segment.isAutomatic = value == "yes";
        return true;
    }
    auto& c = segment.colour;
    return key == "colour" && std::sscanf(value.c_str(), "%u %u %u", &c[0], &c[1], &c[2]) == 3;
}

}  // namespace

bool parse(const std::vector<std::string>& settings, SegmentationRequest& request) {
    for (const std::string& setting : settings) {
        const std::size_t at = setting.find('=');
        if (at == std::string::npos || !take(setting.substr(0, at), setting.substr(at + 1), request)) return false;
    }
    return !request.segments.empty() && !request.instanceUID.empty() && !request.seriesUID.empty()
        && !request.dimensionUID.empty();
}

bool writeSegmentation(const Series& series, const SegmentationRequest& request, std::string& reason) {
    const std::string& path = series.slices.front().path;
    reason = problemOfReferences(series);
    if (!reason.empty()) return false;
    DcmFileFormat source;
    if (!loadHeader(path, source, reason)) {
        reason = path + ": " + reason;
        return false;
    }
    Outcome outcome;
    const auto object = begin(series, request, outcome);
    DcmFileFormat file;
    FrameBits bits;
    if (object != nullptr && outcome.isGood()) {
        DcmDataset& header = *source.getDataset();
        const auto valid = withoutInvalid(header);
        identify(*object, series, *valid, request, outcome);
        addGrid(*object, series, header, request, outcome);
        for (const Segment& segment : request.segments) {
            Uint16 number = 0;
            if (!addSegment(*object, segment, request, number, outcome)) break;
            addFrames(*object, series, segment, number, bits, outcome);
        }
        if (outcome.isGood()) outcome += object->writeDataset(*file.getDataset());
        if (outcome.isGood()) outcome += putPixels(*file.getDataset(), bits);
        if (outcome.isGood()) copyRest(header, series, *file.getDataset(), outcome);
    }
    if (!outcome.isGood()) {
        reason = path + ": no DICOM SEG can be made of its series' headers (" + outcome.reason() + ")";
        return false;
    }
    if (send(file)) return true;
    reason = path + ": the DICOM SEG of its series cannot be written";
    return false;
}

}  // namespace quintet
