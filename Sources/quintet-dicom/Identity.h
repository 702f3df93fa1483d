// Whose a series is: said only where somebody asked for it.
#pragma once

#include <string>

namespace quintet {

/// Patient, study and series of one slice as a line of JSON, in UTF-8.
/// - Returns: false where the file cannot be read; `reason` says why.
bool describeIdentity(const std::string& path, std::string& json, std::string& reason);

}  // namespace quintet
