// load_encodings.hpp: what readers of encodings files share.
#pragma once

#include <map>
#include <string>

#include "encoding/encoding_target.hpp"

namespace halfstep::pipeline {

/// Tensors that a file of ours names and the float model lacks: each is like what it is converted from.
void add_converts(const std::map<std::string, std::string>& converts, EncodingTargets& targets);

}  // namespace halfstep::pipeline
