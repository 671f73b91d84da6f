// errors.hpp: the kinds of error that a model, a file or an option can cause.
#pragma once

#include <string>
#include <utility>

#include "halfstep/result.hpp"

namespace halfstep {

/// It breaks the definition of its format or operator: kInvalidInput with `message`.
inline Error invalid(std::string message) { return {ErrorCode::kInvalidInput, std::move(message)}; }

/// The definition allows it, this program does not do it: kUnsupported with `message`.
inline Error unsupported(std::string message) { return {ErrorCode::kUnsupported, std::move(message)}; }

/// What the user asked for contradicts itself or what is there: kUsage with `message`.
inline Error usage(std::string message) { return {ErrorCode::kUsage, std::move(message)}; }

}  // namespace halfstep
