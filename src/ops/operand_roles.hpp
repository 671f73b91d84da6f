// operand_roles.hpp: the parts that operands play when a node runs on integers.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace halfstep::ops {

/// The part an operand plays when the node runs on integers.
enum class OperandRole {
  kPlain,      ///< Not on a grid: indices, shapes, conditions, bounds of Clip.
  kData,       ///< On a grid like an activation: input 0, both sides of Add, slopes of PRelu.
  kWeight,     ///< If constant, multiplies on a grid of its own, perhaps one a channel. Else data.
  kBias,       ///< If constant, added to the accumulator. Else data.
  kParameter,  ///< Computes, but stays real: what a normalization scales and shifts by.
};

/// Roles of a node's operands in their order; the last one stands for all that follow.
struct OperandRoles {
  std::array<OperandRole, 3> roles = {OperandRole::kData, OperandRole::kPlain, OperandRole::kPlain};

  constexpr OperandRole operator[](std::size_t operand) const {
    return roles[operand < roles.size() ? operand : roles.size() - 1];
  }
  /// The first operand with this role; empty: none.
  constexpr std::optional<std::size_t> find(OperandRole role) const {
    for (std::size_t i = 0; i < roles.size(); ++i) {
      if (roles[i] == role) return i;
    }
    return std::nullopt;
  }
  /// The first operand that carries data: 1 for Where, whose operand 0 only chooses.
  constexpr std::size_t first_data() const { return find(OperandRole::kData).value_or(0); }
};

inline constexpr OperandRoles kAllData = {{OperandRole::kData, OperandRole::kData, OperandRole::kData}};
inline constexpr OperandRoles kLinearRoles = {{OperandRole::kData, OperandRole::kWeight, OperandRole::kBias}};
inline constexpr OperandRoles kNormalizationRoles = {
    {OperandRole::kData, OperandRole::kParameter, OperandRole::kParameter}};

}  // namespace halfstep::ops
