// gates.cpp: measures what each gate asks for.
#include "pipeline/gates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "report/report_text.hpp"

namespace halfstep::pipeline {
namespace {

using compare::Comparison;
using compare::TensorError;

/// What a threshold may be.
struct Bounds {
  const char* option;
  const std::optional<double>& threshold;
  double lowest;
  double highest;
};

constexpr double kAny = std::numeric_limits<double>::max();

std::vector<Bounds> bounds_of(const Gates& gates) {
  return {{"min_top1", gates.min_top1, 0.0, 100.0},
          {"max_top1_drop", gates.max_top1_drop, -100.0, 100.0},
          {"min_top1_agreement", gates.min_top1_agreement, 0.0, 100.0},
          {"min_miou", gates.min_miou, 0.0, 100.0},
          {"min_sqnr_db", gates.min_sqnr_db, -report::kMaxReportedDb, report::kMaxReportedDb},
          {"min_cosine", gates.min_cosine, -1.0, 1.0},
          {"max_abs_error", gates.max_abs_error, 0.0, kAny},
          {"max_regression", gates.max_regression, 0.0, kAny}};
}

/// Collects judged gates.
class Judge {
 public:
  void at_least(const char* option, std::string subject, const char* unit, double threshold, double actual) {
    add({option, std::move(subject), unit, threshold, actual, actual >= threshold, threshold - actual});
  }
  void at_most(const char* option, std::string subject, const char* unit, double threshold, double actual) {
    add({option, std::move(subject), unit, threshold, actual, actual <= threshold, actual - threshold});
  }
  /// A gate that fails because there is nothing to compare its threshold with.
  void without_figure(const char* option, std::string subject, const char* unit, double threshold, std::string why) {
    add({option, std::move(subject), unit, threshold, 0.0, false, 0.0, std::move(why)});
  }
  std::vector<report::Gate> take() { return std::move(gates_); }

 private:
  void add(report::Gate gate) {
    if (gate.passed) gate.shortfall = 0.0;
    gates_.push_back(std::move(gate));
  }
  std::vector<report::Gate> gates_;
};

double reported_db(const TensorError& output) {
  return std::clamp(output.sums.sqnr_db(), -report::kMaxReportedDb, report::kMaxReportedDb);
}

/// The output for which `value` is smallest; the first of several.
template <class F>
const TensorError& worst_of(const std::vector<TensorError>& outputs, F&& value) {
  return *std::ranges::min_element(outputs, {}, std::forward<F>(value));
}

/// Why the error of an output is no number: "3 of 40 values are NaN or infinite in one run only"; or "".
std::string why_no_error(const TensorError& output) {
  const compare::ErrorSums& sums = output.sums;
  if (sums.one_sided == 0) return "";
  return std::to_string(sums.one_sided) + " of " + report::counted(sums.count, "value") +
         (sums.one_sided == 1 ? " is" : " are") + " NaN or infinite in one of the two runs only";
}

/// As why_no_error(), and a ratio to a signal of zeros is no number either.
std::string why_no_sqnr(const TensorError& output) {
  if (std::string why = why_no_error(output); !why.empty()) return why;
  if (std::isinf(output.sums.sqnr_db()) && output.sums.sqnr_db() < 0) {
    return "the float model gives zeros only, the quantized one does not";
  }
  return "";
}

std::string of_output(const TensorError& output) { return " of output " + quoted(output.name); }

void judge_outputs(const Gates& gates, const std::vector<TensorError>& outputs, Judge& judge) {
  const TensorError& broken = worst_of(outputs, [](const TensorError& output) { return -output.sums.one_sided; });
  if (const std::string why = why_no_error(broken); !why.empty()) {
    if (gates.min_sqnr_db)
      judge.without_figure("min_sqnr_db", "SQNR" + of_output(broken), "dB", *gates.min_sqnr_db, why);
    if (gates.min_cosine) judge.without_figure("min_cosine", "cosine" + of_output(broken), "", *gates.min_cosine, why);
    if (gates.max_abs_error) {
      judge.without_figure("max_abs_error", "largest error" + of_output(broken), "", *gates.max_abs_error, why);
    }
    return;
  }
  if (gates.min_sqnr_db) {
    const TensorError& worst = worst_of(outputs, reported_db);
    if (std::string why = why_no_sqnr(worst); !why.empty()) {
      judge.without_figure("min_sqnr_db", "SQNR" + of_output(worst), "dB", *gates.min_sqnr_db, std::move(why));
    } else {
      judge.at_least("min_sqnr_db", "SQNR" + of_output(worst), "dB", *gates.min_sqnr_db, reported_db(worst));
    }
  }
  if (gates.min_cosine) {
    const TensorError& worst = worst_of(outputs, [](const TensorError& output) { return output.sums.cosine(); });
    judge.at_least("min_cosine", "cosine" + of_output(worst), "", *gates.min_cosine, worst.sums.cosine());
  }
  if (gates.max_abs_error) {
    const TensorError& worst = worst_of(outputs, [](const TensorError& output) { return -output.sums.max_abs_error; });
    judge.at_most("max_abs_error", "largest error" + of_output(worst), "", *gates.max_abs_error,
                  worst.sums.max_abs_error);
  }
}

Result<void> judge_regression(double allowed, const report::Baseline& baseline, const Comparison& now, Judge& judge) {
  const char* option = "max_regression";
  if (baseline.miou && now.miou) {
    judge.at_most(option, "loss of mean IoU since the baseline", "points", allowed,
                  *baseline.miou - now.miou->other_percent);
  } else if (baseline.top1 && now.top1) {
    judge.at_most(option, "loss of top-1 since the baseline", "points", allowed,
                  *baseline.top1 - now.top1->other_percent);
  } else if (baseline.top1_agreement && now.top1_agreement_percent) {
    judge.at_most(option, "loss of top-1 agreement since the baseline", "points", allowed,
                  *baseline.top1_agreement - *now.top1_agreement_percent);
  } else if (baseline.worst_output_db && !now.outputs.empty()) {
    const TensorError& worst = worst_of(now.outputs, reported_db);
    const char* subject = "loss of SQNR of the worst output since the baseline";
    if (std::string why = why_no_sqnr(worst); !why.empty()) {
      judge.without_figure(option, subject, "dB", allowed, halfstep::quoted(worst.name) + ": " + std::move(why));
      return {};
    }
    judge.at_most(option, subject, "dB", allowed, *baseline.worst_output_db - reported_db(worst));
  } else {
    return Error{ErrorCode::kInvalidInput, baseline.path + ": has no metric in common with this run"};
  }
  return {};
}

}  // namespace

Result<void> check_gates(const EvaluateRequest& request) {
  const Gates& gates = request.gates;
  for (const Bounds& b : bounds_of(gates)) {
    if (!b.threshold) continue;
    if (*b.threshold >= b.lowest && *b.threshold <= b.highest) continue;
    const std::string range =
        b.highest == kAny ? "of at least " + report::significant(b.lowest, 6)
                          : "from " + report::significant(b.lowest, 6) + " to " + report::significant(b.highest, 6);
    return usage("--" + std::string(b.option) + " must be a number " + range);
  }
  const bool has_classes = (request.labels || request.labels_from_folders) && request.metric == Metric::kTopK;
  for (const auto& [option, threshold] :
       {std::pair("--min_top1", gates.min_top1), std::pair("--max_top1_drop", gates.max_top1_drop)}) {
    if (!threshold || has_classes) continue;
    return usage(std::string(option) + " needs --labels with class indices" +
                 (request.metric == Metric::kMiou ? ", not --metric miou" : ""));
  }
  if (gates.min_top1_agreement && request.metric == Metric::kMiou) {
    return usage("--min_top1_agreement measures classifiers, not --metric miou");
  }
  if (gates.min_miou && request.metric != Metric::kMiou) return usage("--min_miou needs --metric miou");
  if (gates.max_regression && !gates.baseline) return usage("--max_regression needs --baseline");
  if (gates.baseline && !gates.max_regression) return usage("--baseline needs --max_regression");
  return {};
}

bool needs_outputs(const Gates& gates) { return gates.min_sqnr_db || gates.min_cosine || gates.max_abs_error; }

Error no_float_output() {
  return usage("--min_sqnr_db, --min_cosine and --max_abs_error need a float32 output, this model has none");
}

Result<std::vector<report::Gate>> judge(const Gates& gates, const std::optional<report::Baseline>& baseline,
                                        const report::Report& report) {
  const Comparison& now = *report.comparison;
  Judge judge;
  if (gates.min_top1 && now.top1) {
    judge.at_least("min_top1", "top-1 of the quantized model", "%", *gates.min_top1, now.top1->other_percent);
  }
  if (gates.max_top1_drop && now.top1) {
    judge.at_most("max_top1_drop", "loss of top-1", "points", *gates.max_top1_drop, now.top1->drop());
  }
  if (gates.min_top1_agreement && now.top1_agreement_percent) {
    judge.at_least("min_top1_agreement", "top-1 agreement", "%", *gates.min_top1_agreement,
                   *now.top1_agreement_percent);
  }
  if (gates.min_miou && now.miou) {
    judge.at_least("min_miou", "mean IoU of the quantized model", "%", *gates.min_miou, now.miou->other_percent);
  }
  if (needs_outputs(gates)) {
    if (std::ranges::all_of(now.outputs, [](const TensorError& output) { return output.sums.count == 0; })) {
      return no_float_output();
    }
    judge_outputs(gates, now.outputs, judge);
  }
  if (gates.max_regression && baseline) {
    if (Result<void> done = judge_regression(*gates.max_regression, *baseline, now, judge); !done.ok()) {
      return done.error();
    }
  }
  return judge.take();
}

std::string failures_of(const std::vector<report::Gate>& gates) {
  std::string text;
  for (const report::Gate& gate : gates) {
    if (gate.passed) continue;
    text += (text.empty() ? "gate missed: --" : "; --") + gate.option + ": " + report::gate_sentence(gate);
  }
  return text;
}

}  // namespace halfstep::pipeline
