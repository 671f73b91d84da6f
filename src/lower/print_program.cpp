// print_program.cpp: steps, borders and proofs, line by line.
#include "lower/print_program.hpp"

#include <algorithm>
#include <cstdio>

#include "core/text.hpp"
#include "numerics/factor.hpp"

namespace halfstep::lower {
namespace {

constexpr std::size_t kFactorsShown = 4;

std::string_view name_of(StepKind kind) {
  switch (kind) {
    case StepKind::kFloat:
      return "float";
    case StepKind::kInteger:
      return "integer";
    case StepKind::kMove:
      return "move";
    case StepKind::kQuantize:
      return "quantize";
    case StepKind::kDequantize:
      return "dequantize";
    case StepKind::kRequantize:
      return "requantize";
    case StepKind::kAlias:
      return "alias";
  }
  return "";
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.7g", value);
  return text;
}

std::string range_of(std::int64_t low, std::int64_t high) {
  return low == high ? std::to_string(low) : std::to_string(low) + ".." + std::to_string(high);
}

std::string describe(const Slot& slot) {
  std::string text = quoted(slot.name) + " " + (slot.type ? to_string(*slot.type) : "of a type decided while running");
  if (slot.encoding == nullptr) return text;
  const Encoding& e = *slot.encoding;
  const auto [low, high] = std::ranges::minmax(e.params(), {}, &QuantParams::scale);
  const auto [first, last] = std::ranges::minmax(e.params(), {}, &QuantParams::zero_point);
  text += ", scale " + number(low.scale) + (low.scale == high.scale ? "" : ".." + number(high.scale)) +
          ", zero point " + range_of(first.zero_point, last.zero_point) + ", grid [" + std::to_string(e.grid().q_min) +
          ", " + std::to_string(e.grid().q_max) + "]";
  if (e.axis()) text += ", by axis " + std::to_string(*e.axis());
  return text;
}

std::string factor_line(const std::vector<numerics::FixedPoint>& factors) {
  std::string text = "      factor: ";
  for (std::size_t i = 0; i < std::min(factors.size(), kFactorsShown); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(factors[i].multiplier_q31) + " >> " +
            std::to_string(31 + factors[i].right_shift) + " (" + number(numerics::real_of(factors[i])) + ")";
  }
  if (factors.size() > kFactorsShown) text += ", ... (" + std::to_string(factors.size()) + ")";
  return text + "\n";
}

std::string proof_line(const ops::AccumulatorProof& proof) {
  const std::string where = proof.worst_channel >= 0 ? " in channel " + std::to_string(proof.worst_channel) : "";
  std::string text = "      accumulator: int" + std::to_string(proof.bits) + ", worst case " +
                     std::to_string(proof.worst_case) + where;
  text += proof.bits == 32   ? " <= 2147483647: cannot overflow"
          : proof.bits == 64 ? " < 2^63: cannot overflow; may exceed 32 bits"
                             : ": cannot overflow; may exceed 64 bits";
  if (proof.raised_channels > 0) {
    text += "; weight scale of " + std::to_string(proof.raised_channels) + " channels raised for it";
  }
  return text + "\n";
}

}  // namespace

std::string to_text(const Program& program) {
  std::string text;
  std::size_t shown = 0;
  std::size_t integer_steps = 0;
  const auto slot = [&](SlotId id) -> const Slot& { return program.slots[static_cast<std::size_t>(id)]; };
  for (const Step& step : program.steps) {
    if (step.kind == StepKind::kAlias && step.outputs.empty()) continue;  // Says only that a tensor is complete.
    integer_steps += step.kind == StepKind::kInteger || step.kind == StepKind::kMove ? 1 : 0;
    text += std::to_string(++shown) + "  " + std::string(name_of(step.kind)) + "  " + step.label;
    if (!step.facts.kernel.empty() && (step.kind == StepKind::kInteger || step.kind == StepKind::kFloat))
      text += ": " + step.facts.kernel;
    text += "\n";
    for (SlotId id : step.inputs) {
      if (id != kNoSlot) text += "      in  " + describe(slot(id)) + (slot(id).constant ? ", constant" : "") + "\n";
    }
    for (SlotId id : step.outputs) {
      if (id != kNoSlot) text += "      out " + describe(slot(id)) + "\n";
    }
    if (!step.facts.factors.empty()) text += factor_line(step.facts.factors);
    if (step.facts.accumulator.bits > 0) text += proof_line(step.facts.accumulator);
    for (const std::string& note : step.facts.notes) text += "      " + note + "\n";
  }
  text += "\n" + std::to_string(shown) + " steps, " + std::to_string(integer_steps) + " on integers; arena " +
          std::to_string(program.arena_bytes) + " bytes, scratch " + std::to_string(program.scratch_bytes) + " bytes\n";
  if (program.islands.empty()) return text + "No float islands\n";
  text += "Float islands\n";
  for (const Island& island : program.islands) text += "  " + island.label + ": " + island.reason + "\n";
  return text;
}

}  // namespace halfstep::lower
