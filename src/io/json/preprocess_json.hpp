// preprocess_json.hpp: the text of a file that says how photos become inputs. Keys: docs/photos.md.
#pragma once

#include <string>
#include <string_view>

#include "halfstep/preprocess.hpp"
#include "halfstep/result.hpp"

namespace halfstep::io {

/// Reads one; 'resize' and 'resampling' must be there. `file` is its name in messages.
/// Errors: kInvalidInput naming file and key: not JSON, a key that is unknown (with the nearest one), missing or has no
/// effect beside the others, a value that is not legal, with those that are.
Result<Preprocess> read_preprocess(std::string_view text, const std::string& file);

/// One line, the same for equal values, that read_preprocess() takes back without loss.
std::string write_preprocess(const Preprocess& preprocess);

}  // namespace halfstep::io
