// Text that leaves this process: everything from a DICOM file is foreign.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace quintet {

/// What stands in a file as people may see it: printable ASCII, at most 64 characters.
inline std::string printable(const std::string& text) {
    std::string shown;
    for (unsigned char c : text) {
        if (shown.size() == 64) break;
        shown += c >= 32 && c < 127 ? static_cast<char>(c) : '?';
    }
    return shown;
}

/// A JSON string. Paths are passed on as they came in (UTF-8).
inline std::string jsonText(const std::string& text) {
    std::string json = "\"";
    for (unsigned char c : text) {
        if (c == '"' || c == '\\') {
            json += '\\';
            json += static_cast<char>(c);
        } else if (c < 32 || c == 127) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
            json += escaped;
        } else {
            json += static_cast<char>(c);
        }
    }
    return json + "\"";
}

inline std::string jsonText(const std::vector<std::string>& texts) {
    std::string json = "[";
    for (const auto& text : texts) json += (json.size() > 1 ? "," : "") + jsonText(text);
    return json + "]";
}

/// A number with as many digits as tell it from its neighbours.
inline std::string number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", value);
    return text;
}

/// A number for people.
inline std::string shown(double value, int digits = 2) {
    char text[48];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

}  // namespace quintet
