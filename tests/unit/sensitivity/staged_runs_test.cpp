// Contract under test: sensitivity/staged_runs.hpp. However much is shared, a form computes the bits it computes alone.
#include "sensitivity/staged_runs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "core/errors.hpp"
#include "sensitivity/partial.hpp"
#include "unit/sensitivity/quantized_case.hpp"
#include "unit/tune/sweep_graphs.hpp"

namespace halfstep::sensitivity {
namespace {

using testing::HasSubstr;

constexpr std::size_t kLarge = std::size_t{64} << 20;

/// A form and what each sample gives when it runs as a whole.
struct Form {
  std::string name;
  std::size_t first = 0;
  QuantizedGraph model;
  std::vector<std::vector<Tensor>> want;  // By sample, by output.
};

/// A base with every form of one group that an analysis runs.
struct Family {
  QuantizedGraph base;
  std::vector<Form> forms;
};

/// Of the float model (only) and of the quantized one (all but).
std::vector<Family> families_of(const QuantizedCase& made, const FixedPointOptions& fixed) {
  const std::vector<QuantizerGroup> groups = made.groups();
  const PartialQuantization partial(made.model, made.reference, {});
  std::vector<Family> families{{partial.only({}, Part::kBoth), {}}, {made.model, {}}};
  for (const QuantizerGroup& group : groups) {
    const QuantizerGroup* const one[] = {&group};
    for (const Part part : {Part::kBoth, Part::kWeights, Part::kActivations}) {
      const std::string name = group.name + ", " + name_of(part);
      families[0].forms.push_back({"only " + name, group.first_node, partial.only(one, part), {}});
      families[1].forms.push_back({"all but " + name, group.first_node, partial.without(one, part), {}});
    }
  }
  for (Family& family : families) {
    for (Form& form : family.forms) {
      for (const Inputs& inputs : made.samples) form.want.push_back(outputs_of(form.model, fixed, inputs));
    }
  }
  return families;
}

std::vector<Variant> variants_of(const Family& family, std::vector<int>& times_made) {
  std::vector<Variant> variants;
  times_made.assign(family.forms.size(), 0);
  for (std::size_t v = 0; v < family.forms.size(); ++v) {
    variants.push_back({family.forms[v].first, [&family, &times_made, v] {
                          ++times_made[v];
                          return family.forms[v].model;
                        }});
  }
  return variants;
}

StagedRequest request_of(const QuantizedCase& made, const Family& family, const FixedPointOptions& fixed) {
  StagedRequest request;
  request.base = &family.base;
  request.samples = made.source();
  request.fixed = fixed;
  return request;
}

/// Runs all forms and compares every output of every sample with the form's own.
StagedOutcome check(const StagedRequest& request, const Family& family) {
  std::vector<int> times_made;
  const std::vector<Variant> variants = variants_of(family, times_made);
  std::mutex mutex;
  std::vector<std::size_t> num_ran(variants.size(), 0);
  std::vector<std::int64_t> added(variants.size(), 0);
  std::vector<int> num_done(variants.size(), 0);
  StagedReceiver receiver;
  receiver.ran = [&](std::size_t v, std::int64_t sample, int worker, const exec::Executor& executor) -> Result<void> {
    const std::scoped_lock lock(mutex);
    EXPECT_LT(worker, request.num_threads);
    const std::vector<Tensor>& want = family.forms[v].want[static_cast<std::size_t>(sample)];
    for (std::size_t o = 0; o < want.size(); ++o) {
      EXPECT_TRUE(identical(Tensor::copy_of(executor.output(o)), want[o]))
          << family.forms[v].name << ", output " << o << " of sample " << sample;
    }
    ++num_ran[v];
    return {};
  };
  receiver.add = [&](std::size_t v, std::int64_t sample, int) -> Result<void> {
    EXPECT_EQ(sample, added[v]++) << "samples are added in their order";
    EXPECT_EQ(num_done[v], 0);
    return {};
  };
  receiver.done = [&](std::size_t v) -> Result<void> {
    EXPECT_EQ(added[v], request.samples.count);
    ++num_done[v];
    return {};
  };
  const Result<StagedOutcome> outcome = run_staged(request, variants, receiver);
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
  for (std::size_t v = 0; v < variants.size(); ++v) {
    EXPECT_EQ(times_made[v], 1) << family.forms[v].name;
    EXPECT_EQ(num_ran[v], static_cast<std::size_t>(request.samples.count)) << family.forms[v].name;
    EXPECT_EQ(num_done[v], 1) << family.forms[v].name;
  }
  return outcome.ok() ? *outcome : StagedOutcome{};
}

void check_everywhere(const QuantizedCase& made, const FixedPointOptions& fixed) {
  for (const Family& family : families_of(made, fixed)) {
    ASSERT_GT(family.forms.size(), 6U);
    ASSERT_FALSE(std::ranges::all_of(family.forms, [&](const Form& form) {
      return identical(form.want[0][0], family.forms[0].want[0][0]);
    })) << "forms that do not differ prove nothing";
    StagedRequest request = request_of(made, family, fixed);
    std::int64_t nodes_without_cuts = 0;
    for (const std::size_t budget : {std::size_t{0}, std::size_t{2000}, kLarge}) {
      for (const int num_threads : {1, 3}) {
        request.memory_bytes = budget;
        request.num_threads = num_threads;
        const StagedOutcome outcome = check(request, family);
        const auto total = static_cast<std::int64_t>(family.forms.size() * family.base.graph.nodes.size());
        EXPECT_EQ(outcome.num_nodes_unshared, total);
        EXPECT_LE(outcome.peak_bytes, budget);
        if (budget == 0) {
          EXPECT_EQ(outcome.num_cuts, 0);
          EXPECT_EQ(outcome.peak_bytes, 0U);
          EXPECT_EQ(outcome.num_nodes_run, total);
          nodes_without_cuts = outcome.num_nodes_run;
        } else if (budget == kLarge) {
          EXPECT_GE(outcome.num_cuts, 2);
          EXPECT_GT(outcome.peak_bytes, 0U);
          EXPECT_LT(outcome.num_nodes_run, nodes_without_cuts);
        }
      }
    }
  }
}

TEST(StagedRuns, EveryFormComputesTheBitsOfTheWholeModel) {
  for (tune::NamedGraph& named : tune::sweep_graphs()) {
    SCOPED_TRACE(named.name);
    check_everywhere(QuantizedCase(named.small), {});
  }
}

TEST(StagedRuns, WhateverTheArithmeticAndTheWidth) {
  precision::Options wide;
  wide.act_bits = 16;
  precision::Options powers;
  powers.scale = ScaleKind::kPowerOfTwo;
  powers.act_schema = Schema::kUnsignedSymmetric;
  RandomGraph residual = tune::residual_graph();
  check_everywhere(QuantizedCase(residual, 2, wide), {Arithmetic::kQ31Double, 64});
  RandomGraph split = tune::split_graph();
  check_everywhere(QuantizedCase(split, 2, powers), {Arithmetic::kShiftHalfEven, 32});
}

// Constants of a form are its own: without the weights' quantization the float model's stand there.
TEST(StagedRuns, FormsMayHaveOtherConstants) {
  RandomGraph small = tune::concat_graph();
  QuantizedCase made(small);
  for (const char* name : {"a.w", "b.b", "e.w", "y.w"}) made.scale_constant(name, 0.75F);
  check_everywhere(made, {});
}

// What a later layer's grids decide of an earlier one must not leak through a cut.
TEST(StagedRuns, TensorsWithoutAGridOfTheirOwn) {
  RandomGraph small = tune::residual_graph();
  QuantizedCase made(small);
  made.model.encodings.erase("a");
  made.model.encodings.erase("c");
  check_everywhere(made, {});
}

TEST(StagedRuns, AJointGridOfAConcat) {
  RandomGraph small = tune::concat_graph();
  QuantizedCase made(small);
  for (const char* name : {"a", "b", "c", "d"}) {
    made.model.encodings.at(name).encoding = made.model.encodings.at("joined").encoding;
  }
  check_everywhere(made, {});
}

TEST(StagedRuns, MoreRoomMeansNoMoreNodes) {
  RandomGraph small = tune::island_graph();
  const QuantizedCase made(small, 3);
  const std::vector<Family> families = families_of(made, {});
  std::int64_t before = std::int64_t{1} << 40;
  for (const std::size_t budget : {std::size_t{0}, std::size_t{400}, std::size_t{1000}, std::size_t{4000}, kLarge}) {
    StagedRequest request = request_of(made, families[0], {});
    request.memory_bytes = budget;
    const StagedOutcome outcome = check(request, families[0]);
    EXPECT_LE(outcome.num_nodes_run, before) << budget;
    before = outcome.num_nodes_run;
  }
}

TEST(StagedRuns, ErrorsOfTheReceiverEndTheRun) {
  RandomGraph small = tune::residual_graph();
  const QuantizedCase made(small, 2);
  const std::vector<Family> families = families_of(made, {});
  std::vector<int> times_made;
  const std::vector<Variant> variants = variants_of(families[1], times_made);
  StagedReceiver receiver;
  receiver.ran = [](std::size_t, std::int64_t, int, const exec::Executor&) -> Result<void> { return {}; };
  receiver.add = [](std::size_t, std::int64_t, int) -> Result<void> { return {}; };
  receiver.done = [](std::size_t) -> Result<void> { return invalid("disk is full"); };
  const Result<StagedOutcome> outcome = run_staged(request_of(made, families[1], {}), variants, receiver);
  ASSERT_FALSE(outcome.ok());
  EXPECT_THAT(outcome.error().message, HasSubstr("disk is full"));
  EXPECT_EQ(std::ranges::count(times_made, 1), 1);
}

TEST(StagedRuns, ErrorsOfSamplesNameTheirPlace) {
  RandomGraph small = tune::residual_graph();
  QuantizedCase made(small, 3);
  const std::vector<Family> families = families_of(made, {});
  made.samples[1] = {small.draw(Shape{1, 3, 5, 5})};
  std::vector<int> times_made;
  const std::vector<Variant> variants = variants_of(families[0], times_made);
  StagedReceiver receiver;
  receiver.ran = [](std::size_t, std::int64_t, int, const exec::Executor&) -> Result<void> { return {}; };
  receiver.add = [](std::size_t, std::int64_t, int) -> Result<void> { return {}; };
  receiver.done = [](std::size_t) -> Result<void> { return {}; };
  const Result<StagedOutcome> outcome = run_staged(request_of(made, families[0], {}), variants, receiver);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(outcome.error().message, HasSubstr("list.txt:2"));
}

}  // namespace
}  // namespace halfstep::sensitivity
