#include "Identity.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <string_view>

#include "Slice.h"
#include "Text.h"

namespace quintet {

namespace {

constexpr std::size_t textByteCountMax = 256;

/// Bytes from `at` on that are one character of UTF-8; 0 where they are none.
std::size_t characterByteCount(const std::string& text, std::size_t at) {
    const auto byte = [&](std::size_t i) {
        return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4) return 0;
    for (std::size_t i = 1; i < count; i++) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
    }
    // Longer than need be, halves of pairs, and what lies beyond Unicode.
    const unsigned second = byte(1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
    return count;
}

/// What is no UTF-8 becomes question marks: it goes into JSON.
std::string asUTF8(const std::string& text) {
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t count = characterByteCount(text, at);
        if (shown.size() + std::max(count, std::size_t{1}) > textByteCountMax) break;
        shown += count == 0 ? "?" : text.substr(at, count);
        at += std::max(count, std::size_t{1});
    }
    return shown;
}

std::string text(DcmItem& item, const DcmTagKey& tag) {
    OFString value;
    if (item.findAndGetOFStringArray(tag, value).bad()) return {};
    std::string found(value.c_str(), value.length());
    // Debian's DCMTK cannot convert what changes its character set on the way (ISO 2022): a name's Latin form is first.
    found = found.substr(0, found.find('\x1b'));
    while (!found.empty() && std::string_view(" =", 3).find(found.back()) != std::string_view::npos) found.pop_back();
    return asUTF8(found);
}

}  // namespace

bool describeIdentity(const std::string& path, std::string& json, std::string& reason) {
    DcmFileFormat file;
    if (!loadHeader(path, file, reason)) return false;
    DcmDataset& header = *file.getDataset();
    const struct { const char* name; DcmTagKey tag; } parts[] = {
        {"patientName", DCM_PatientName}, {"patientID", DCM_PatientID}, {"studyDate", DCM_StudyDate},
        {"accessionNumber", DCM_AccessionNumber}, {"seriesUID", DCM_SeriesInstanceUID},
    };
    // Of these alone the character set is changed: nothing else has to be right.
    DcmDataset own;
    DcmElement* element = nullptr;
    if (header.findAndGetElement(DCM_SpecificCharacterSet, element).good() && element != nullptr) {
        own.insert(OFstatic_cast(DcmElement*, element->clone()), OFTrue);
    }
    for (const auto& part : parts) {
        element = nullptr;
        if (header.findAndGetElement(part.tag, element).bad() || element == nullptr) continue;
        own.insert(OFstatic_cast(DcmElement*, element->clone()), OFTrue);
    }
    own.convertToUTF8();
    for (const auto& part : parts) {
        json += (json.empty() ? "{" : ",") + jsonText(part.name) + ":" + jsonText(text(own, part.tag));
    }
    json += "}";
    return true;
}

}  // namespace quintet
