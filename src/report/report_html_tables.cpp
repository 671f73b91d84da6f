// report_html_tables.cpp: the tables of the HTML report.
#include "report/report_html_tables.hpp"

#include <algorithm>
#include <cmath>

#include "report/report_html_cells.hpp"

namespace halfstep::report::html {
namespace {

/// Which of the optional figures any tensor has.
struct Present {
  bool isolated = false;
  bool scale = false;
  bool off_by = false;
  bool unlike = false;
  void include(const compare::TensorError& tensor) {
    isolated = isolated || tensor.isolated.has_value();
    scale = scale || tensor.scale > 0.0;
    off_by = off_by || tensor.off_by.has_value();
    unlike = unlike || tensor.num_unlike_samples > 0;
  }
};

std::vector<Column> tensor_columns(const Present& present) {
  std::vector<Column> columns{{"tensor", false, ""},
                              {"operator", false, ""},
                              {"SQNR dB", true, "whole network: everything upstream is quantized, too"}};
  if (present.isolated) {
    columns.push_back({"isolated dB", true, "SQNR when only this layer is quantized"});
    columns.push_back({"own share %", true, "energy of the isolated error, as a share of the whole-network error"});
  }
  columns.push_back({"cosine", true, ""});
  if (present.scale) {
    columns.push_back(
        {"rmse, steps", true, "root mean square error in steps of the grid; an ideal quantizer gives 0.29"});
    columns.push_back({"clipped %", true, "values of the float model outside the grid"});
  }
  if (present.off_by) {
    columns.push_back({"off by 1 %", true, "codes of the fixed-point run one step from the simulated ones"});
    columns.push_back(
        {"off by more %", true, "codes of the fixed-point run two steps or more from the simulated ones"});
  }
  columns.push_back({"max error", true, "in the tensor's unit"});
  if (present.unlike) columns.push_back({"left out", true, "samples in which the tensor has another shape"});
  return columns;
}

std::string isolated_cells(const compare::TensorError& tensor) {
  if (!tensor.isolated) return figure_cell("", 0.0) + figure_cell("", 0.0);
  const double alone = tensor.isolated->sqnr_db();
  std::string cells = figure_cell(shown_db(alone), alone);
  const double whole_error = tensor.sums.mean_squared_error();
  if (!(whole_error > 0.0)) return cells + figure_cell("", 0.0);
  const double share = 100.0 * tensor.isolated->mean_squared_error() / whole_error;
  return cells + figure_cell(std::isfinite(share) ? decimals(std::min(share, 999.0), 0) : "", share);
}

std::string off_by_cells(const compare::TensorError& tensor) {
  double total = 0.0;
  if (tensor.off_by) {
    for (const std::int64_t count : *tensor.off_by) total += static_cast<double>(count);
  }
  if (!(total > 0.0)) return figure_cell("", 0.0) + figure_cell("", 0.0);
  const double one = 100.0 * static_cast<double>((*tensor.off_by)[1]) / total;
  const double more = 100.0 - 100.0 * static_cast<double>((*tensor.off_by)[0]) / total - one;
  return figure_cell(decimals(one, 3), one) + figure_cell(decimals(std::max(0.0, more), 3), std::max(0.0, more));
}

std::string tensor_cells(const compare::TensorError& tensor, const Present& present) {
  const double db = tensor.sums.sqnr_db();
  std::string row = name_cell(tensor.name) + "<td class=\"op\">" +
                    (tensor.op.empty() ? "(input)" : escaped(tensor.op)) + "</td>" + figure_cell(shown_db(db), db);
  if (present.isolated) row += isolated_cells(tensor);
  row += figure_cell(decimals(tensor.sums.cosine(), 6), tensor.sums.cosine());
  if (present.scale) {
    const bool has_scale = tensor.scale > 0.0;
    row += figure_cell(has_scale ? decimals(tensor.rmse_in_steps(), 2) : "", tensor.rmse_in_steps());
    row += figure_cell(has_scale ? decimals(tensor.clipped_percent(), 3) : "", tensor.clipped_percent());
  }
  if (present.off_by) row += off_by_cells(tensor);
  row += figure_cell(significant(tensor.sums.max_abs_error, 4), tensor.sums.max_abs_error);
  if (present.unlike) {
    row += figure_cell(std::to_string(tensor.num_unlike_samples), static_cast<double>(tensor.num_unlike_samples));
  }
  return row;
}

std::string range_cells(const TensorRange& range) {
  std::string row = name_cell(range.name);
  row += figure_cell(std::to_string(range.num_values), static_cast<double>(range.num_values));
  for (const double end : {range.min, range.max, range.grid_min, range.grid_max}) {
    row += figure_cell(significant(end, 5), end);
  }
  const std::optional<double>& clipped = range.clipped_percent;
  row += figure_cell(clipped ? significant(*clipped, 3) : "", clipped.value_or(0.0));
  const std::optional<std::size_t>& channels = range.num_channels;
  row += figure_cell(channels ? std::to_string(*channels) : "", static_cast<double>(channels.value_or(1)));
  return row + text_cell(range.by);
}

/// In words, with the notes behind a fold.
std::string did_cell(const TuningStep& step) {
  std::string cell = "<td class=\"text\">" + escaped(step.did);
  if (!step.notes.empty()) {
    cell += "<details><summary>" + counted(static_cast<std::int64_t>(step.notes.size()), "note") + "</summary><ul>\n";
    for (const std::string& note : step.notes) cell += "<li>" + escaped(note) + "</li>\n";
    cell += "</ul></details>";
  }
  return cell + "</td>";
}

}  // namespace

std::string gate_table(const Report& report) {
  if (report.gates.empty()) return "";
  std::string rows;
  for (const Gate& gate : report.gates) {
    rows += std::string("<tr><td class=\"") + (gate.passed ? "pass\">pass" : "fail\"><strong>FAIL</strong>") + "</td>" +
            "<th scope=\"row\"><code>--" + escaped(gate.option) + "</code></th>" + text_cell(gate.subject) +
            "<td class=\"n\">" + escaped(gate_demand(gate)) + "</td><td class=\"n\">" + escaped(gate_found(gate)) +
            "</td><td class=\"n\">" + escaped(gate_shortfall(gate)) + "</td></tr>\n";
  }
  return table("gates", "Gates",
               {{"", false, ""},
                {"gate", false, ""},
                {"measured", false, ""},
                {"demanded", true, ""},
                {"found", true, ""},
                {"missed by", true, ""}},
               rows);
}

std::string metric_table(const Report& report) {
  const compare::Comparison* main = report.comparison ? &*report.comparison : nullptr;
  const compare::Comparison* simulated = report.simulated_comparison ? &*report.simulated_comparison : nullptr;
  std::string rows;
  const auto cell = [](const std::string& shown) { return "<td class=\"n\">" + shown + "</td>"; };
  const auto top = [&](const char* name, std::optional<compare::TopK> compare::Comparison::*field) {
    if (main == nullptr || !(main->*field)) return;
    const compare::TopK& figures = *(main->*field);
    rows +=
        std::string("<tr><th scope=\"row\">") + name + "</th>" + cell(decimals(figures.reference_percent, 2) + " %");
    if (simulated != nullptr) {
      rows += cell(simulated->*field ? decimals((simulated->*field)->other_percent, 2) + " %" : "");
    }
    rows += cell(decimals(figures.other_percent, 2) + " %") + cell(decimals(figures.drop(), 2)) + "</tr>\n";
  };
  top("top-1", &compare::Comparison::top1);
  top("top-5", &compare::Comparison::top5);
  top("mean IoU", &compare::Comparison::miou);
  if (main != nullptr && main->top1_agreement_percent) {
    rows +=
        "<tr><th scope=\"row\">same top-1 of <code>" + escaped(main->classes_of) + "</code> as float</th>" + cell("");
    if (simulated != nullptr) {
      const std::optional<double>& share = simulated->top1_agreement_percent;
      rows += cell(share ? decimals(*share, 2) + " %" : "");
    }
    rows += cell(decimals(*main->top1_agreement_percent, 2) + " %") + cell("") + "</tr>\n";
  }
  if (main != nullptr && main->simulated_agreement_percent) {
    rows += "<tr><th scope=\"row\">same top-1 as simulated</th>" + cell("") + (simulated != nullptr ? cell("") : "") +
            cell(decimals(*main->simulated_agreement_percent, 2) + " %") + cell("") + "</tr>\n";
  }
  for (const auto& [name, values] : other_metrics(report)) {
    rows += "<tr><th scope=\"row\">" + escaped(name) + "</th>" + cell(significant(values.first, 6));
    if (simulated != nullptr) rows += cell("");
    rows += cell(significant(values.second, 6)) + cell(significant(values.first - values.second, 4)) + "</tr>\n";
  }
  if (rows.empty()) return "";
  std::vector<Column> columns{{"", false, ""}, {"float", true, ""}};
  if (simulated != nullptr) columns.push_back({"simulated", true, ""});
  columns.push_back({report.mode == "simulated" || report.mode.empty() ? "quantized" : "fixed point", true, ""});
  columns.push_back({"drop", true, "float minus quantized"});
  return table("metrics", "Metrics", columns, rows);
}

std::string output_table(const Report& report) {
  if (!report.comparison || report.comparison->outputs.empty()) return "";
  Present present;
  for (const compare::TensorError& output : report.comparison->outputs) present.include(output);
  std::string rows;
  for (const compare::TensorError& output : report.comparison->outputs) {
    rows += "<tr>" + tensor_cells(output, present) + "</tr>\n";
  }
  return table("outputs sortable", "Outputs", tensor_columns(present), rows);
}

std::string layer_table(const std::vector<PlacedLayer>& layers) {
  if (layers.empty()) return "";
  Present present;
  for (const PlacedLayer& placed : layers) present.include(*placed.layer);
  std::vector<PlacedLayer> worst_first = layers;
  std::ranges::stable_sort(worst_first, [](const PlacedLayer& a, const PlacedLayer& b) {
    const double x = a.layer->sums.sqnr_db();
    const double y = b.layer->sums.sqnr_db();
    return std::isnan(x) ? !std::isnan(y) : x < y;
  });
  std::vector<Column> columns{{"#", true, "position in the network, as in the charts"}};
  for (const Column& column : tensor_columns(present)) columns.push_back(column);
  std::string rows;
  for (const PlacedLayer& placed : worst_first) {
    const std::string position = std::to_string(placed.position);
    rows += "<tr id=\"layer-" + position + "\">" + figure_cell(position, static_cast<double>(placed.position)) +
            tensor_cells(*placed.layer, present) + "</tr>\n";
  }
  return table("layers sortable", "Layers", columns, rows, "SQNR dB");
}

std::string tuning_table(const Report& report) {
  if (report.tuning.empty()) return "";
  std::string rows;
  for (const TuningStep& step : report.tuning) {
    rows += "<tr><th scope=\"row\"><code>" + escaped(step.algorithms) + "</code></th>" + did_cell(step);
    for (const double db : {step.sqnr_before_db, step.sqnr_after_db}) rows += figure_cell(decimals(db, 2), db);
    for (const double share : {step.agreement_before, step.agreement_after}) {
      rows += figure_cell(decimals(share, 1), share);
    }
    rows += step.undone ? "<td class=\"fail\">undone</td></tr>\n" : "<td class=\"pass\">kept</td></tr>\n";
  }
  return "<p class=\"remark\">In the order they ran. " + counted(report.num_held_out, "held-out sample") +
         " judged the fixed-point model before and after; what made it worse was undone.</p>\n" +
         table("tuning", "Algorithms",
               {{"algorithm", false, "as given to --algorithms; several ran in one sweep"},
                {"what it did", false, ""},
                {"SQNR dB before", true, "mean over the outputs"},
                {"after", true, "mean over the outputs"},
                {"agreement % before", true, "samples whose first output is largest at the same place as in float"},
                {"after", true, "samples whose first output is largest at the same place as in float"},
                {"", false, ""}},
               rows);
}

std::string range_tables(const std::vector<TensorRange>& ranges) {
  const auto of_role = [&](RangeRole role, const char* caption) {
    std::string rows;
    for (const TensorRange& range : ranges) {
      if (range.role == role) rows += "<tr>" + range_cells(range) + "</tr>\n";
    }
    return rows.empty() ? rows
                        : table("ranges", caption,
                                {{"tensor", false, ""},
                                 {"values", true, "how many were seen, over all samples"},
                                 {"observed min", true, ""},
                                 {"observed max", true, ""},
                                 {"grid min", true, "over all channels"},
                                 {"grid max", true, "over all channels"},
                                 {"clipped %", true, "values more than half a step outside the grid"},
                                 {"channels", true, "each with a grid of its own"},
                                 {"chosen by", false, ""}},
                                rows);
  };
  const std::string activations = of_role(RangeRole::kActivation, "Ranges of activations");
  const std::string weights = of_role(RangeRole::kWeight, "Ranges of weights");
  if (activations.empty() && weights.empty()) return "";
  return "<p class=\"remark\">What calibration saw, and the ends of the grid that was chosen. No share stands where no "
         "histogram was kept and the grid does not reach the extremes.</p>\n" +
         activations + (weights.empty() ? "" : "<details><summary>Weights</summary>\n" + weights + "</details>\n");
}

std::string island_table(const std::vector<FloatIsland>& islands) {
  if (islands.empty()) return "";
  std::string rows;
  for (const FloatIsland& island : islands) {
    rows += "<tr>" + name_cell(island.node) + "<td class=\"op\">" + escaped(island.op) + "</td>" +
            text_cell(island.reason) + "</tr>\n";
  }
  return table("islands", "Float islands",
               {{"node", false, ""}, {"operator", false, ""}, {"why it stays float", false, ""}}, rows);
}

}  // namespace halfstep::report::html
