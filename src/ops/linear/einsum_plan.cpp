// einsum_plan.cpp: parses an Einsum equation and plans its products.
#include "ops/linear/einsum_plan.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "core/errors.hpp"
#include "core/text.hpp"

namespace halfstep::ops {
namespace {

/// Letters are their character code. The axes of an ellipsis are numbered from
/// here on, from the last one backwards, so that they align on the right.
using Label = int;
constexpr Label kEllipsisBase = 256;
constexpr int kMaxRank = 64;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Term {
  std::vector<Label> before;
  std::vector<Label> after;
  bool ellipsis = false;

  std::vector<Label> labels(int ellipsis_rank) const {
    std::vector<Label> all = before;
    if (ellipsis) {
      for (int i = ellipsis_rank; i-- > 0;) all.push_back(kEllipsisBase + i);
    }
    all.insert(all.end(), after.begin(), after.end());
    return all;
  }
  int num_letters() const { return static_cast<int>(before.size() + after.size()); }
};

Result<Term> parse_term(const std::string& text, const std::string& equation) {
  Term term;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_letter(text[i])) {
      (term.ellipsis ? term.after : term.before).push_back(text[i]);
    } else if (text.compare(i, 3, "...") == 0 && !term.ellipsis) {
      term.ellipsis = true;
      i += 2;
    } else {
      return invalid("equation " + quoted(equation) + " is malformed at " + quoted(text.substr(i)));
    }
  }
  if (term.num_letters() > kMaxRank) return invalid("equation " + quoted(equation) + " has too long a term");
  return term;
}

struct Equation {
  std::vector<Term> inputs;
  std::optional<Term> output;
};

Result<Equation> parse_equation(const std::string& equation) {
  std::string text;
  std::copy_if(equation.begin(), equation.end(), std::back_inserter(text), [](char c) { return c != ' '; });
  Equation parsed;
  const std::size_t arrow = text.find("->");
  if (arrow != std::string::npos) {
    const Result<Term> output = parse_term(text.substr(arrow + 2), equation);
    if (!output.ok()) return output.error();
    parsed.output = *output;
    text.resize(arrow);
  }
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const Result<Term> term = parse_term(text.substr(start, comma - start), equation);
    if (!term.ok()) return term.error();
    parsed.inputs.push_back(*term);
    start = comma + 1;
  }
  return parsed;
}

/// Extents by label; 0-based vector, -1 where the label does not occur.
class Extents {
 public:
  std::int64_t& operator[](Label label) { return values_[static_cast<std::size_t>(label)]; }
  std::int64_t at(Label label) const { return values_[static_cast<std::size_t>(label)]; }

 private:
  std::vector<std::int64_t> values_ = std::vector<std::int64_t>(kEllipsisBase + kMaxRank, -1);
};

/// The labels of the output when the equation does not say: the ellipsis, then
/// letters that occur once, in ASCII order.
std::vector<Label> implied_output(const std::vector<std::vector<Label>>& inputs, int ellipsis_rank) {
  std::array<int, kEllipsisBase> count{};
  for (const auto& labels : inputs) {
    for (const Label label : labels) {
      if (label < kEllipsisBase) ++count[static_cast<std::size_t>(label)];
    }
  }
  std::vector<Label> output;
  for (int i = ellipsis_rank; i-- > 0;) output.push_back(kEllipsisBase + i);
  for (Label label = 0; label < kEllipsisBase; ++label) {
    if (count[static_cast<std::size_t>(label)] == 1) output.push_back(label);
  }
  return output;
}

/// A tensor as labelled loops; a label occurs once (diagonals have summed
/// strides), and loops of a single step are left out.
struct Labelled {
  std::vector<Label> labels;
  std::vector<GatherLoop> loops;
  std::int64_t num_elements = 1;

  const GatherLoop* find(Label label) const {
    const auto at = std::find(labels.begin(), labels.end(), label);
    return at == labels.end() ? nullptr : &loops[static_cast<std::size_t>(at - labels.begin())];
  }
};

Labelled label_operand(const std::vector<Label>& labels, const Shape& shape) {
  const std::vector<std::int64_t> strides = strides_of(shape);
  Labelled operand;
  operand.num_elements = shape.num_elements();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const Label label = labels[static_cast<std::size_t>(axis)];
    if (shape[axis] == 1) continue;
    const auto at = std::find(operand.labels.begin(), operand.labels.end(), label);
    if (at != operand.labels.end()) {
      operand.loops[static_cast<std::size_t>(at - operand.labels.begin())].stride +=
          strides[static_cast<std::size_t>(axis)];
    } else {
      operand.labels.push_back(label);
      operand.loops.push_back({shape[axis], strides[static_cast<std::size_t>(axis)]});
    }
  }
  return operand;
}

Labelled label_result(const std::vector<Label>& labels, const Extents& extents) {
  Shape shape;
  for (const Label label : labels) shape.push_back(extents.at(label));
  return label_operand(labels, shape);
}

/// Brings `source` into the order of `order`; labels missing there are summed.
Gather plan_gather(const Labelled& source, const std::vector<Label>& order) {
  Gather gather;
  for (const Label label : order) {
    if (const GatherLoop* loop = source.find(label); loop != nullptr) gather.kept.push_back(*loop);
  }
  for (std::size_t i = 0; i < source.labels.size(); ++i) {
    if (std::find(order.begin(), order.end(), source.labels[i]) == order.end()) {
      gather.summed.push_back(source.loops[i]);
    }
  }
  std::int64_t stride = 1;
  bool contiguous = true;
  for (std::size_t i = gather.kept.size(); i-- > 0;) {
    contiguous = contiguous && gather.kept[i].stride == stride;
    stride *= gather.kept[i].extent;
  }
  gather.num_elements = stride;
  gather.identity = contiguous && gather.summed.empty() && gather.num_elements == source.num_elements;
  return gather;
}

struct Groups {
  std::vector<Label> batch;
  std::vector<Label> left;
  std::vector<Label> right;
  std::vector<Label> contracted;
};

/// By label: the last operand that has it; behind all operands if the output has it.
std::vector<std::size_t> last_uses(const std::vector<std::vector<Label>>& inputs, const std::vector<Label>& output) {
  std::vector<std::size_t> last(kEllipsisBase + kMaxRank, 0);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (const Label label : inputs[i]) last[static_cast<std::size_t>(label)] = i;
  }
  for (const Label label : output) last[static_cast<std::size_t>(label)] = inputs.size();
  return last;
}

/// Labels of the product of a and b, which is operand number `index`.
Groups group_labels(const Labelled& a, const Labelled& b, const std::vector<std::size_t>& last, std::size_t index) {
  const auto needed = [&](Label label) { return last[static_cast<std::size_t>(label)] > index; };
  Groups groups;
  for (const Label label : a.labels) {
    const bool shared = b.find(label) != nullptr;
    if (needed(label)) {
      (shared ? groups.batch : groups.left).push_back(label);
    } else if (shared) {
      groups.contracted.push_back(label);
    }
  }
  for (const Label label : b.labels) {
    if (a.find(label) == nullptr && needed(label)) groups.right.push_back(label);
  }
  return groups;
}

std::vector<Label> join(std::vector<Label> a, const std::vector<Label>& b, const std::vector<Label>& c) {
  a.insert(a.end(), b.begin(), b.end());
  a.insert(a.end(), c.begin(), c.end());
  return a;
}

std::int64_t product_of(const std::vector<Label>& labels, const Extents& extents) {
  std::int64_t product = 1;
  for (const Label label : labels) product *= extents.at(label);
  return product;
}

Result<void> measure(const std::vector<std::vector<Label>>& inputs, const std::vector<Shape>& operands,
                     Extents& extents) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (int axis = 0; axis < operands[i].rank(); ++axis) {
      const Label label = inputs[i][static_cast<std::size_t>(axis)];
      std::int64_t& extent = extents[label];
      const std::int64_t here = operands[i][axis];
      if (extent == -1 || extent == 1) {
        extent = here;
      } else if (here != extent && here != 1) {
        const std::string name = label < kEllipsisBase ? std::string(1, static_cast<char>(label)) : "...";
        return invalid("label '" + name + "' has extent " + std::to_string(here) + " in operand " + std::to_string(i) +
                       ", " + std::to_string(extent) + " before");
      }
    }
  }
  return {};
}

/// A diagonal of an operand needs equal extents; a 1 there would need a stride of 0.
Result<void> check_diagonals(const std::vector<Label>& labels, const Shape& shape) {
  for (int i = 0; i < shape.rank(); ++i) {
    for (int j = 0; j < i; ++j) {
      if (labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)] && shape[i] != shape[j]) {
        return invalid("a repeated label covers extents " + std::to_string(shape[j]) + " and " +
                       std::to_string(shape[i]));
      }
    }
  }
  return {};
}

struct Labels {
  std::vector<std::vector<Label>> inputs;
  std::vector<Label> output;
};

Result<Labels> label_axes(const std::string& text, const std::vector<Shape>& operands) {
  const Result<Equation> equation = parse_equation(text);
  if (!equation.ok()) return equation.error();
  if (equation->inputs.size() != operands.size()) {
    return invalid("equation " + quoted(text) + " names " + std::to_string(equation->inputs.size()) +
                   " operands, there are " + std::to_string(operands.size()));
  }
  Labels labels;
  int ellipsis_rank = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Term& term = equation->inputs[i];
    const int rest = operands[i].rank() - term.num_letters();
    if (rest < 0 || rest > kMaxRank || (rest > 0 && !term.ellipsis)) {
      return invalid("operand " + std::to_string(i) + " has rank " + std::to_string(operands[i].rank()) +
                     ", its term in " + quoted(text) + " names " + std::to_string(term.num_letters()) + " axes");
    }
    ellipsis_rank = std::max(ellipsis_rank, rest);
    labels.inputs.push_back(term.labels(rest));
  }
  if (!equation->output.has_value()) {
    labels.output = implied_output(labels.inputs, ellipsis_rank);
    return labels;
  }
  labels.output = equation->output->labels(ellipsis_rank);
  for (std::size_t i = 0; i < labels.output.size(); ++i) {
    const auto same = std::find(labels.output.begin(), labels.output.end(), labels.output[i]);
    if (same != labels.output.begin() + static_cast<std::ptrdiff_t>(i)) {
      return invalid("equation " + quoted(text) + " repeats a label in its output");
    }
  }
  return labels;
}

}  // namespace

Result<EinsumPlan> plan_einsum(const std::string& equation, const std::vector<Shape>& operands, DType dtype) {
  if (operands.empty()) return invalid("there is no operand");
  const Result<Labels> labelled = label_axes(equation, operands);
  if (!labelled.ok()) return labelled.error();
  const std::vector<std::vector<Label>>& inputs = labelled->inputs;
  Extents extents;
  if (const Result<void> sizes = measure(inputs, operands, extents); !sizes.ok()) return sizes.error();
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (const Result<void> fits = check_diagonals(inputs[i], operands[i]); !fits.ok()) return fits.error();
  }
  EinsumPlan plan;
  for (const Label label : labelled->output) {
    if (extents.at(label) < 0) return invalid("equation " + quoted(equation) + " has an output label of no operand");
    plan.output.push_back(extents.at(label));
  }
  if (const Result<void> fits = check_shape(plan.output, dtype); !fits.ok()) return fits.error();

  const std::vector<std::size_t> last = last_uses(inputs, labelled->output);
  Labelled so_far = label_operand(inputs[0], operands[0]);
  for (std::size_t i = 1; i < operands.size(); ++i) {
    const Labelled next = label_operand(inputs[i], operands[i]);
    const Groups groups = group_labels(so_far, next, last, i);
    const std::vector<Label> result = join(groups.batch, groups.left, groups.right);
    Shape shape;
    for (const Label label : result) shape.push_back(extents.at(label));
    if (const Result<void> fits = check_shape(shape, dtype); !fits.ok()) return fits.error().at("intermediate");
    plan.products.push_back({.a = plan_gather(so_far, join(groups.batch, groups.left, groups.contracted)),
                             .b = plan_gather(next, join(groups.batch, groups.contracted, groups.right)),
                             .batch = product_of(groups.batch, extents),
                             .m = product_of(groups.left, extents),
                             .n = product_of(groups.right, extents),
                             .k = product_of(groups.contracted, extents)});
    so_far = label_result(result, extents);
  }
  plan.last = plan_gather(so_far, labelled->output);
  return plan;
}

}  // namespace halfstep::ops
