// Contract under test: sensitivity/partial.hpp.
#include "sensitivity/partial.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/sensitivity/quantized_case.hpp"
#include "unit/tune/sweep_graphs.hpp"

namespace halfstep::sensitivity {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Names = std::vector<std::string>;

/// residual_graph(), of which tuning changed every weight and bias.
class Partial : public testing::Test {
 protected:
  Partial() : small_(tune::residual_graph()), made_(small_, 2) {
    for (const std::string& layer : Names{"a", "b", "y"}) {
      made_.scale_constant(layer + ".w", 1.25F);
      made_.scale_constant(layer + ".b", 1.5F);
    }
    groups_ = made_.groups();
  }

  PartialQuantization partial(const std::set<std::string, std::less<>>& other_units = {}) const {
    return {made_.model, made_.reference, other_units};
  }
  /// Encodings of the quantized model that `form` has lost, in the order of names. What is left must be as it was.
  Names lost(const QuantizedGraph& form) const {
    Names names;
    for (const auto& [name, encoding] : made_.model.encodings) {
      const TensorEncoding* left = find_encoding(form.encodings, name);
      if (left == nullptr) {
        names.push_back(name);
      } else {
        EXPECT_EQ(left->encoding, encoding.encoding) << name;
      }
    }
    EXPECT_EQ(form.encodings.size() + names.size(), made_.model.encodings.size());
    return names;
  }
  /// Constants of `form` that are the float model's again. The others must be the quantized model's.
  Names returned(const QuantizedGraph& form) const {
    Names names;
    for (std::size_t v = 0; v < form.graph.values.size(); ++v) {
      const graph::Value& value = form.graph.values[v];
      if (!value.constant) continue;
      const bool is_theirs = identical(*value.constant, *made_.reference.values[v].constant);
      if (is_theirs) names.push_back(value.name);
      EXPECT_TRUE(is_theirs || identical(*value.constant, *made_.model.graph.values[v].constant)) << value.name;
    }
    return names;
  }
  QuantizerGroup group(const std::string& name) const { return group_named(groups_, name); }
  std::vector<const QuantizerGroup*> all() const {
    std::vector<const QuantizerGroup*> all;
    for (const QuantizerGroup& group : groups_) all.push_back(&group);
    return all;
  }

  RandomGraph small_;
  QuantizedCase made_;
  std::vector<QuantizerGroup> groups_;
};

TEST_F(Partial, OnlyNothingIsTheFloatModel) {
  const QuantizedGraph form = partial().only({}, Part::kBoth);
  EXPECT_TRUE(form.encodings.empty());
  EXPECT_THAT(returned(form), UnorderedElementsAre("a.w", "a.b", "b.w", "b.b", "y.w", "y.b"));
  EXPECT_TRUE(
      identical(outputs_of(form, {}, made_.samples[0])[0], outputs_of({made_.reference, {}}, {}, made_.samples[0])[0]));
}

TEST_F(Partial, WithoutNothingIsTheQuantizedModel) {
  const QuantizedGraph form = partial().without({}, Part::kBoth);
  EXPECT_THAT(lost(form), IsEmpty());
  EXPECT_THAT(returned(form), IsEmpty());
}

TEST_F(Partial, WithoutALayer) {
  const QuantizerGroup b = group("b_node");
  const QuantizerGroup* const out[] = {&b};
  const QuantizedGraph both = partial().without(out, Part::kBoth);
  EXPECT_THAT(lost(both), ElementsAre("b", "b.b", "b.w"));
  EXPECT_THAT(returned(both), UnorderedElementsAre("b.w", "b.b"));
  const QuantizedGraph weights = partial().without(out, Part::kWeights);
  EXPECT_THAT(lost(weights), ElementsAre("b.b", "b.w"));
  EXPECT_THAT(returned(weights), UnorderedElementsAre("b.w", "b.b"));
  const QuantizedGraph activations = partial().without(out, Part::kActivations);
  EXPECT_THAT(lost(activations), ElementsAre("b"));
  EXPECT_THAT(returned(activations), IsEmpty());
}

TEST_F(Partial, OnlyALayer) {
  const QuantizerGroup b = group("b_node");
  const QuantizerGroup* const in[] = {&b};
  EXPECT_THAT(lost(partial().only(in, Part::kBoth)), ElementsAre("a", "a.b", "a.w", "c", "x", "y", "y.b", "y.w"));
  EXPECT_THAT(returned(partial().only(in, Part::kBoth)), UnorderedElementsAre("a.w", "a.b", "y.w", "y.b"));
  EXPECT_THAT(lost(partial().only(in, Part::kWeights)),
              ElementsAre("a", "a.b", "a.w", "b", "c", "x", "y", "y.b", "y.w"));
  const QuantizedGraph activations = partial().only(in, Part::kActivations);
  EXPECT_THAT(lost(activations), ElementsAre("a", "a.b", "a.w", "b.b", "b.w", "c", "x", "y", "y.b", "y.w"));
  EXPECT_THAT(returned(activations), UnorderedElementsAre("a.w", "a.b", "b.w", "b.b", "y.w", "y.b"));
}

TEST_F(Partial, AllWeightsAndAllActivations) {
  const std::vector<const QuantizerGroup*> everything = all();
  EXPECT_THAT(lost(partial().only(everything, Part::kBoth)), IsEmpty());
  EXPECT_THAT(lost(partial().only(everything, Part::kWeights)), ElementsAre("a", "b", "c", "x", "y"));
  EXPECT_THAT(lost(partial().only(everything, Part::kActivations)),
              ElementsAre("a.b", "a.w", "b.b", "b.w", "y.b", "y.w"));
}

// Bias correction changed a bias that has no grid: it was for the rounded weight.
TEST_F(Partial, ABiasWithoutAGridGoesBackWithItsWeight) {
  made_.model.encodings.erase("b.b");
  const QuantizerGroup b = group("b_node");
  const QuantizerGroup* const out[] = {&b};
  EXPECT_THAT(returned(partial().without(out, Part::kWeights)), UnorderedElementsAre("b.w", "b.b"));
  EXPECT_THAT(returned(partial().without(out, Part::kActivations)), IsEmpty());
}

// Channels of 'a' were scaled: its layer writes it and two read it, so their constants fit no other.
TEST_F(Partial, ConstantsInOtherUnitsStay) {
  const PartialQuantization scaled = partial({"a"});
  EXPECT_THAT(scaled.kept_weights(), UnorderedElementsAre("a.w", "b.w"));
  const std::vector<const QuantizerGroup*> everything = all();
  const QuantizedGraph form = scaled.without(everything, Part::kBoth);
  EXPECT_TRUE(form.encodings.empty());
  EXPECT_THAT(returned(form), UnorderedElementsAre("y.w", "y.b"));
  EXPECT_THAT(partial().kept_weights(), IsEmpty());
}

TEST_F(Partial, ConstantsThatTheFloatModelDoesNotHaveStay) {
  graph::Value& renamed = made_.reference.value(graph::find_value(made_.reference, "b.w"));
  renamed.name = "other";
  graph::Value& reshaped = made_.reference.value(graph::find_value(made_.reference, "y.w"));
  reshaped.constant = Tensor::of<float>(Shape{1}, {1.0F});
  EXPECT_THAT(partial().kept_weights(), UnorderedElementsAre("b.w", "y.w"));
}

TEST_F(Partial, FormsOfTheSameModelDoNotTouchIt) {
  const EncodingSet before = made_.model.encodings;
  const std::vector<const QuantizerGroup*> everything = all();
  (void)partial().without(everything, Part::kBoth);
  (void)partial().only({}, Part::kBoth);
  EXPECT_EQ(made_.model.encodings.size(), before.size());
  EXPECT_FALSE(identical(*graph::constant_of(made_.model.graph, graph::find_value(made_.model.graph, "b.w")),
                         *graph::constant_of(made_.reference, graph::find_value(made_.reference, "b.w"))));
}

TEST(Part, HasAName) {
  EXPECT_STREQ(name_of(Part::kBoth), "both");
  EXPECT_STREQ(name_of(Part::kWeights), "weights");
  EXPECT_STREQ(name_of(Part::kActivations), "activations");
}

}  // namespace
}  // namespace halfstep::sensitivity
