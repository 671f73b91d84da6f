// labels.hpp: the right class of each sample.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "halfstep/result.hpp"

namespace halfstep::io {

/// Reads class indices, one a line. Blank lines are skipped, and so is all that
/// follows a '#'.
/// Errors: kInvalidInput naming file and line: a line that is not one integer
/// of at least 0, or a file without labels.
Result<std::vector<std::int64_t>> read_labels(const std::filesystem::path& path);

/// The same for a file whose text is at hand.
Result<std::vector<std::int64_t>> parse_labels(std::string_view text, const std::filesystem::path& path);

}  // namespace halfstep::io
