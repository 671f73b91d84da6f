// report_text.hpp: figures and names as the Markdown, JUnit and HTML reports write them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/report.hpp"

namespace halfstep::report {

/// `value` with that many decimals; "NaN", "inf" and "-inf" where it is not finite.
std::string decimals(double value, int count);

/// `value` with at most that many significant digits, without trailing zeros.
std::string significant(double value, int digits);

/// A decibel figure with one decimal; "exact" for +infinity.
std::string shown_db(double db);

/// shown_db() with its unit.
std::string shown_db_unit(double db);

/// A count of bytes in kB or MB (powers of 1000).
std::string shown_bytes(std::int64_t bytes);

/// "1 sample", "200 samples".
std::string counted(std::int64_t count, std::string_view noun);

/// A figure of a gate with its unit: "71.25 %", "0.5 points", "23.10 dB".
std::string gate_figure(const Gate& gate, double value);

/// What a gate found, with its unit: "71.25 %", "0.5 points", "23.10 dB"; or why it found no figure.
std::string gate_found(const Gate& gate);

/// "at least 71 %" or "at most 0.5 points".
std::string gate_demand(const Gate& gate);

/// By how much it failed: "0.88 points" for a gate in percent; "" if it passed or has no figure.
std::string gate_shortfall(const Gate& gate);

/// What a gate found, in one sentence: "top-1 of the quantized model is 70.12 %, must be at
/// least 71.00 %: missed by 0.88 points", "SQNR of output 'y' must be at least 20.00 dB and has no figure: 3 of ...".
std::string gate_sentence(const Gate& gate);

/// Number of gates that failed.
std::size_t num_failed(const std::vector<Gate>& gates);

/// The same text as UTF-8 that XML 1.0 and HTML allow: bytes that are not UTF-8, control characters,
/// surrogates and noncharacters become U+FFFD; tabs and line breaks become blanks.
std::string printable(std::string_view text);

/// printable(), with & < > " ' as entities: fits element text and quoted attributes of XML and HTML.
std::string escaped(std::string_view text);

/// printable(), cut in the middle to at most `max_chars` characters: exporters put the block in
/// front and the operator behind. max_chars >= 8.
std::string shortened(std::string_view text, std::size_t max_chars);

/// `text` with blanks behind it, or in front if `right`, up to `width` characters; longer texts stay as they are.
std::string padded(std::string text, std::size_t width, bool right);

/// The part of a path behind its last separator.
std::string file_name(std::string_view path);

/// The report's extra metrics without those that stand in its comparison, too (mean IoU).
std::vector<std::pair<std::string, std::pair<double, double>>> other_metrics(const Report& report);

/// How a person says a kind of precision::Coverage: "from overrides".
std::string coverage_words(std::string_view kind);

/// A layer and where it stands in the network.
struct PlacedLayer {
  const compare::TensorError* layer = nullptr;
  std::size_t position = 0;  ///< From 1, in the order the network computes them.
};

/// Every layer of the comparison, in the order of the network. A position is that of the tensor among the charts'
/// activation ranges, or in activation_order if there are no charts; other layers follow behind, in the comparison's
/// order (worst first).
std::vector<PlacedLayer> in_network_order(const Report& report);

}  // namespace halfstep::report
