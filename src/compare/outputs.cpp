// outputs.cpp: errors of all outputs, and how well the first one does.
#include "compare/outputs.hpp"

#include <optional>
#include <string>

#include "core/text.hpp"

namespace halfstep::compare {

bool holds_classes(const OutputMeasures& measures, const graph::Graph& reference, const ConstView& a,
                   const ConstView& b) {
  if (!measures.labels.empty() || measures.needs_scores) return true;
  return reference.outputs.size() == 1 && is_class_scores(a) && is_class_scores(b);
}

Result<void> tally_outputs(const OutputMeasures& measures, const graph::Graph& reference, std::int64_t i,
                           std::span<const OutputPair> outputs, Tally& tally) {
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    const ConstView& a = outputs[o].reference;
    const ConstView& b = outputs[o].other;
    const bool unlike = a.shape() != b.shape();
    if (a.dtype() != b.dtype() || (unlike && outputs[o].is_static)) {
      return Error{ErrorCode::kInvalidInput, "output " + quoted(reference.value(reference.outputs[o].value).name) +
                                                 " is " + to_string(*a.type) + " in the float model and " +
                                                 to_string(*b.type) + " in the quantized one"};
    }
    tally.outputs[o].unlike += unlike ? 1 : 0;
    if (a.dtype() == DType::kFloat32 && !unlike) tally.outputs[o].sums.add(a.values<float>(), b.values<float>());
  }
  const OutputPair first = outputs.empty() ? OutputPair{} : outputs.front();
  if (measures.masks) return count_pixels(first.reference, first.other, i, measures.masks, tally.scores);
  if (measures.needs_scores && !(is_score_row(first.reference) && is_score_row(first.other))) {
    return Error{ErrorCode::kUsage,
                 "top-1 agreement needs a first output of one float32 row of scores, this model's is " +
                     (first.reference.present() ? to_string(*first.reference.type) : std::string("absent"))};
  }
  std::optional<std::int64_t> label;
  if (!measures.labels.empty()) label = measures.labels[static_cast<std::size_t>(i)];
  if (!holds_classes(measures, reference, first.reference, first.other)) return {};
  return count_classes(first.reference, first.other, label, tally.scores);
}

}  // namespace halfstep::compare
