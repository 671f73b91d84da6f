// partial.hpp: a quantized model of which only a part is quantized.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "encoding/quantized_graph.hpp"
#include "sensitivity/groups.hpp"

namespace halfstep::sensitivity {

/// What of a group is meant.
enum class Part { kBoth, kWeights, kActivations };

/// "both", "weights", "activations".
const char* name_of(Part part);

/// Takes quantization away from parts of a model. A layer without quantized weights has the float model's weight and
/// bias, where that has them under the same name and in the same units; else its own stay, as real numbers.
class PartialQuantization {
 public:
  /// `quantized` and `reference` must outlive this. `other_units`: tensors whose numbers differ between the two by
  /// channel; constants of layers that read or write one differ, too.
  PartialQuantization(const QuantizedGraph& quantized, const graph::Graph& reference,
                      const std::set<std::string, std::less<>>& other_units);

  /// All groups as they are but for `part` of `out`.
  QuantizedGraph without(std::span<const QuantizerGroup* const> out, Part part) const;
  /// Only `part` of `in` is quantized.
  QuantizedGraph only(std::span<const QuantizerGroup* const> in, Part part) const;

  /// Weights that stay rounded in float: the float model has none to put in their place.
  const std::vector<std::string>& kept_weights() const { return kept_; }

 private:
  void take_out(const std::set<std::string>& names, QuantizedGraph& model) const;

  const QuantizedGraph& quantized_;
  /// By ValueId of `quantized`: the float model's constant to put in its place.
  std::vector<const Tensor*> originals_;
  std::vector<std::string> kept_;
};

}  // namespace halfstep::sensitivity
