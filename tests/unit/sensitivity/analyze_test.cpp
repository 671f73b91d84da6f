// Contract under test: sensitivity/analyze.hpp.
#include "sensitivity/analyze.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/errors.hpp"
#include "unit/sensitivity/quantized_case.hpp"
#include "unit/tune/sweep_graphs.hpp"

namespace halfstep::sensitivity {
namespace {

using Scores = std::map<std::string, OutputScore>;

/// A model with everything that an analysis of it needs.
class Analyses {
 public:
  explicit Analyses(RandomGraph small, int num_samples = 4) : made_(small, num_samples) {
    Result<OutputJudge> judge = OutputJudge::make(made_.reference, {}, made_.source(), {}, 1);
    EXPECT_TRUE(judge.ok()) << (judge.ok() ? "" : judge.error().message);
    judge_.emplace(*std::move(judge));
  }

  AnalysisRequest request() const {
    AnalysisRequest made;
    made.quantized = &made_.model;
    made.reference = &made_.reference;
    made.samples = made_.source();
    return made;
  }

  /// Also collects what it finds.
  Analysis run(AnalysisRequest request, Scores* found = nullptr) const {
    if (found != nullptr) {
      request.found = [found](const std::string& key, const OutputScore& score) -> Result<void> {
        EXPECT_TRUE(found->emplace(key, score).second) << key << " was found twice";
        return {};
      };
    }
    Result<Analysis> analysis = analyze(request, *judge_);
    EXPECT_TRUE(analysis.ok()) << (analysis.ok() ? "" : analysis.error().message);
    return analysis.ok() ? *std::move(analysis) : Analysis{};
  }

  /// Mean over the outputs of the SQNR over all samples, from whole runs.
  double sqnr_of(const QuantizedGraph& form) const {
    std::vector<double> signal(form.graph.outputs.size(), 0.0);
    std::vector<double> error(form.graph.outputs.size(), 0.0);
    for (const Inputs& inputs : made_.samples) {
      const std::vector<Tensor> want = outputs_of({made_.reference, {}}, {}, inputs);
      const std::vector<Tensor> got = outputs_of(form, {}, inputs);
      for (std::size_t o = 0; o < want.size(); ++o) {
        for (std::int64_t i = 0; i < want[o].num_elements(); ++i) {
          const double wanted = want[o].data<float>()[i];
          signal[o] += wanted * wanted;
          error[o] += std::pow(got[o].data<float>()[i] - wanted, 2);
        }
      }
    }
    double sum = 0.0;
    for (std::size_t o = 0; o < signal.size(); ++o) {
      sum += error[o] == 0.0 ? 200.0 : 10.0 * std::log10(signal[o] / error[o]);
    }
    return sum / static_cast<double>(signal.size());
  }

  const QuantizedCase& made() const { return made_; }

 private:
  QuantizedCase made_;
  std::optional<OutputJudge> judge_;
};

void expect_same(const PartScores& a, const PartScores& b, const std::string& name) {
  EXPECT_EQ(a.both, b.both) << name;
  EXPECT_EQ(a.weights, b.weights) << name;
  EXPECT_EQ(a.activations, b.activations) << name;
}

void expect_same(const Analysis& a, const Analysis& b) {
  expect_same(a.whole, b.whole, "whole");
  ASSERT_EQ(a.groups.size(), b.groups.size());
  for (std::size_t g = 0; g < a.groups.size(); ++g) {
    expect_same(a.only[g], b.only[g], a.groups[g].name);
    expect_same(a.all_but[g], b.all_but[g], a.groups[g].name);
  }
}

std::function<std::optional<OutputScore>(const std::string&)> lookup(const Scores& scores) {
  return [&scores](const std::string& key) {
    const auto at = scores.find(key);
    return at == scores.end() ? std::nullopt : std::optional(at->second);
  };
}

TEST(Analyze, ScoresAreThoseOfWholeRuns) {
  const Analyses analyses(tune::residual_graph());
  const Analysis analysis = analyses.run(analyses.request());
  const QuantizedCase& made = analyses.made();
  const PartialQuantization partial(made.model, made.reference, {});
  ASSERT_TRUE(analysis.whole.both.has_value());
  EXPECT_NEAR(analysis.whole.both->sqnr_db, analyses.sqnr_of(made.model), 1e-6);
  std::vector<const QuantizerGroup*> all;
  for (const QuantizerGroup& group : analysis.groups) all.push_back(&group);
  EXPECT_NEAR(analysis.whole.weights->sqnr_db, analyses.sqnr_of(partial.only(all, Part::kWeights)), 1e-6);
  EXPECT_NEAR(analysis.whole.activations->sqnr_db, analyses.sqnr_of(partial.only(all, Part::kActivations)), 1e-6);
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    const QuantizerGroup* const one[] = {&analysis.groups[g]};
    const auto check = [&](const std::optional<OutputScore>& score, const QuantizedGraph& form, const char* what) {
      ASSERT_TRUE(score.has_value()) << what << " " << analysis.groups[g].name;
      EXPECT_NEAR(score->sqnr_db, analyses.sqnr_of(form), 1e-6) << what << " " << analysis.groups[g].name;
    };
    check(analysis.only[g].both, partial.only(one, Part::kBoth), "only");
    check(analysis.all_but[g].both, partial.without(one, Part::kBoth), "all but");
    if (analysis.groups[g].weights.empty()) continue;
    check(analysis.only[g].weights, partial.only(one, Part::kWeights), "only weights");
    check(analysis.only[g].activations, partial.only(one, Part::kActivations), "only activations");
    check(analysis.all_but[g].weights, partial.without(one, Part::kWeights), "all but weights");
    check(analysis.all_but[g].activations, partial.without(one, Part::kActivations), "all but activations");
  }
}

TEST(Analyze, NeitherThreadsNorMemoryChangeABit) {
  for (tune::NamedGraph& named : tune::sweep_graphs()) {
    SCOPED_TRACE(named.name);
    const Analyses analyses(named.small, 5);
    const Analysis want = analyses.run(analyses.request());
    for (const std::size_t budget : {std::size_t{0}, std::size_t{1500}}) {
      AnalysisRequest request = analyses.request();
      request.num_threads = 3;
      request.memory_bytes = budget;
      expect_same(analyses.run(request), want);
    }
  }
}

TEST(Analyze, KnownScoresAreNotRunAgain) {
  const Analyses analyses(tune::concat_graph());
  Scores all;
  const Analysis want = analyses.run(analyses.request(), &all);
  EXPECT_EQ(static_cast<std::size_t>(want.num_runs), all.size());
  EXPECT_EQ(want.num_known, 0);

  AnalysisRequest request = analyses.request();
  request.known = lookup(all);
  Scores found;
  const Analysis again = analyses.run(request, &found);
  expect_same(again, want);
  EXPECT_EQ(again.num_runs, 0);
  EXPECT_EQ(again.num_known, want.num_runs);
  EXPECT_EQ(again.nodes_run, 0);
  EXPECT_TRUE(found.empty());

  Scores half = all;
  int turn = 0;
  std::erase_if(half, [&](const auto&) { return ++turn % 2 == 0; });
  request.known = lookup(half);
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  request.progress = [&](std::int64_t done, std::int64_t total) { steps.emplace_back(done, total); };
  const Analysis rest = analyses.run(request, &found);
  expect_same(rest, want);
  EXPECT_EQ(found.size(), all.size() - half.size());
  EXPECT_EQ(static_cast<std::size_t>(rest.num_known), half.size());
  ASSERT_EQ(steps.size(), found.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].first, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(steps[i].second, static_cast<std::int64_t>(steps.size()));
  }
}

TEST(Analyze, AKnownScoreIsBelieved) {
  const Analyses analyses(tune::residual_graph());
  AnalysisRequest request = analyses.request();
  const Scores invented{{"only/weights/b", {.sqnr_db = 12.5}}};
  request.known = lookup(invented);
  const Analysis analysis = analyses.run(request);
  EXPECT_EQ(analysis.num_known, 1);
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    if (analysis.groups[g].name == "b_node") {
      EXPECT_EQ(analysis.only[g].weights, invented.at("only/weights/b"));
    }
  }
}

TEST(Analyze, SharesTogetherGiveWhatOneRunGives) {
  const Analyses analyses(tune::split_graph());
  Scores all;
  const Analysis want = analyses.run(analyses.request(), &all);
  Scores together;
  std::int64_t num_runs = 0;
  for (const std::size_t share : {2U, 0U, 1U}) {
    AnalysisRequest request = analyses.request();
    request.takes = [share](std::size_t i) { return i % 3 == share; };
    Scores found;
    const Analysis part = analyses.run(request, &found);
    EXPECT_EQ(part.num_runs + part.num_left, want.num_runs);
    EXPECT_GE(part.num_runs, want.num_runs / 3);
    num_runs += part.num_runs;
    together.insert(found.begin(), found.end());
  }
  EXPECT_EQ(num_runs, want.num_runs);
  EXPECT_EQ(together, all);
  AnalysisRequest request = analyses.request();
  request.known = lookup(together);
  const Analysis merged = analyses.run(request);
  EXPECT_EQ(merged.num_runs, 0);
  expect_same(merged, want);
}

TEST(Analyze, WhereAGroupHasOnePartBothAreThatOne) {
  const Analyses analyses(tune::residual_graph());
  const Analysis analysis = analyses.run(analyses.request());
  int num_single = 0;
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    if (!analysis.groups[g].weights.empty()) continue;
    ++num_single;
    EXPECT_EQ(analysis.only[g].activations, analysis.only[g].both);
    EXPECT_EQ(analysis.all_but[g].activations, analysis.all_but[g].both);
    EXPECT_FALSE(analysis.only[g].weights.has_value());
    EXPECT_FALSE(analysis.all_but[g].weights.has_value());
  }
  EXPECT_EQ(num_single, 2) << "the input and the Add";
}

TEST(Analyze, RunsWhatIsAskedFor) {
  const Analyses analyses(tune::residual_graph());
  const std::vector<QuantizerGroup> groups = analyses.made().groups();  // x, a, b, c (Add), y.
  ASSERT_EQ(groups.size(), 5U);
  AnalysisRequest request = analyses.request();
  EXPECT_EQ(runs_of(groups, request).size(), 3U + 3 * 6 + 2 * 2);
  request.wants_parts = false;
  EXPECT_EQ(runs_of(groups, request).size(), 1U + 5 * 2);
  request.wants_all_but = false;
  const Analysis analysis = analyses.run(request);
  EXPECT_EQ(analysis.num_runs, 1 + 5);
  EXPECT_TRUE(analysis.whole.both.has_value());
  EXPECT_FALSE(analysis.whole.weights.has_value());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    EXPECT_TRUE(analysis.only[g].both.has_value());
    EXPECT_FALSE(analysis.only[g].activations.has_value());
    EXPECT_FALSE(analysis.all_but[g].both.has_value());
  }
}

TEST(Analyze, KeysAreUniqueAndNameATensor) {
  for (tune::NamedGraph& named : tune::sweep_graphs()) {
    SCOPED_TRACE(named.name);
    const Analyses analyses(named.small, 1);
    const std::vector<QuantizerGroup> groups = analyses.made().groups();
    std::set<std::string> keys;
    const std::vector<sensitivity::Run> runs = runs_of(groups, analyses.request());
    for (const sensitivity::Run& run : runs)
      EXPECT_TRUE(keys.insert(key_of(run, groups)).second) << key_of(run, groups);
  }
  QuantizerGroup layer;
  layer.activations = {"t", "u"};
  layer.weights = {"w"};
  QuantizerGroup weights;
  weights.weights = {"v"};
  QuantizerGroup bias;
  bias.biases = {"b"};
  const std::vector<QuantizerGroup> groups{layer, weights, bias};
  EXPECT_EQ(key_of({Direction::kOnly, Part::kWeights, 0}, groups), "only/weights/t");
  EXPECT_EQ(key_of({Direction::kAllBut, Part::kBoth, 1}, groups), "all-but/both/v");
  EXPECT_EQ(key_of({Direction::kAllBut, Part::kActivations, 2}, groups), "all-but/activations/b");
  EXPECT_EQ(key_of({Direction::kAllBut, Part::kBoth, {}}, groups), "all-but/both");
}

TEST(Analyze, SharedPrefixesSaveNodes) {
  const Analyses analyses(tune::concat_graph());
  const Analysis analysis = analyses.run(analyses.request());
  EXPECT_GT(analysis.nodes_run, 0);
  EXPECT_LT(analysis.nodes_run, analysis.nodes_unshared);
}

TEST(Analyze, AScoreThatCannotBeKeptEndsIt) {
  const Analyses analyses(tune::residual_graph());
  const Result<OutputJudge> judge = OutputJudge::make(analyses.made().reference, {}, analyses.made().source(), {}, 1);
  ASSERT_TRUE(judge.ok());
  AnalysisRequest request = analyses.request();
  std::vector<std::string> keys;
  request.found = [&](const std::string& key, const OutputScore&) -> Result<void> {
    keys.push_back(key);
    return invalid("the disk is full");
  };
  const Result<Analysis> analysis = analyze(request, *judge);
  ASSERT_FALSE(analysis.ok());
  EXPECT_EQ(analysis.error().message, "the disk is full");
  EXPECT_EQ(keys.size(), 1U);
}

}  // namespace
}  // namespace halfstep::sensitivity
