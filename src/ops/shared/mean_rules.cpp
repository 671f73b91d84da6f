// mean_rules.cpp: from the scales of a mean to its integers.
#include "ops/shared/mean_rules.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

#include "ops/shared/fixed_codes.hpp"
#include "ops/shared/fixed_support.hpp"

namespace halfstep::ops {
namespace {

Result<void> check_grid(const Encoding& encoding, ChannelGrids grids, const Shape& shape, const std::string& what) {
  if (auto is_short = require_short_codes(encoding, what); !is_short.ok()) return is_short;
  if (grids == ChannelGrids::kRefused) return require_per_tensor(encoding, what);
  if (!encoding.axis()) return {};
  const bool fits =
      *encoding.axis() == 1 && shape.rank() > 1 && shape[1] == static_cast<std::int64_t>(encoding.params().size());
  if (!fits) return Error{ErrorCode::kUnsupported, what + " has grids that do not run along its channels"};
  return {};
}

/// The largest |q - z| and |q|, over all channels.
std::int64_t largest_term(const Encoding& encoding) {
  std::int64_t largest = std::max(-std::int64_t{encoding.grid().q_min}, std::int64_t{encoding.grid().q_max});
  for (std::size_t c = 0; c < encoding.params().size(); ++c) {
    largest = std::max(largest, centred_range(encoding, c).largest_magnitude());
  }
  return largest;
}

}  // namespace

Result<MeanRules> mean_rules_of(const FixedArgs& args, std::int64_t largest_count,
                                const std::vector<std::int64_t>& divisors, ChannelGrids grids) {
  if (auto encoded = require_encodings(args, 1); !encoded.ok()) return encoded.error();
  const Encoding& x = *args.input_encoding(0);
  const Encoding& y = *args.output_encoding();
  if (auto fits = check_grid(x, grids, args.shape(0), "the input"); !fits.ok()) return fits.error();
  if (auto fits = check_grid(y, grids, args.shape(0), "the output"); !fits.ok()) return fits.error();
  // An input of 2^33 bytes of 16-bit codes keeps this below 2^50; the guard is for shapes no tensor can have.
  if (largest_count > std::int64_t{1} << 40) return Error{ErrorCode::kUnsupported, "a mean has too many elements"};

  MeanRules rules;
  rules.x_dtype = storage_dtype(x.grid());
  rules.y_dtype = storage_dtype(y.grid());
  rules.wide = largest_count * largest_term(x) > std::numeric_limits<std::int32_t>::max();
  rules.channels = static_cast<std::int64_t>(std::max(x.params().size(), y.params().size()));
  rules.num_divisors = static_cast<std::int64_t>(divisors.size());
  for (std::size_t c = 0; c < static_cast<std::size_t>(rules.channels); ++c) {
    const QuantParams& params = params_of(x, c);
    rules.zero_points.push_back(params.zero_point);
    // Refuses scales that the arithmetic cannot express, whatever the divisor.
    const Result<numerics::Requantizer> undivided = output_requantizer(args, params.scale, c);
    if (!undivided.ok()) return undivided.error();
    for (const std::int64_t divisor : divisors) {
      const Result<numerics::Requantizer> requantizer =
          output_requantizer_plain(args, params.scale / static_cast<double>(divisor), c);
      if (!requantizer.ok()) return requantizer.error();
      rules.requantizers.push_back(*requantizer);
    }
  }
  return rules;
}

FixedFacts mean_facts(const FixedArgs& args, const MeanRules& rules, std::int64_t largest_count, std::string kernel) {
  FixedFacts facts;
  facts.kernel = std::move(kernel);
  // By channel where there are several, else by divisor.
  const std::size_t step = rules.channels > 1 ? static_cast<std::size_t>(rules.num_divisors) : 1;
  for (std::size_t i = 0; i < rules.requantizers.size(); i += step)
    facts.factors.push_back(rules.requantizers[i].factor);
  facts.accumulator.bits = rules.wide ? 64 : 32;
  facts.accumulator.worst_case = static_cast<std::uint64_t>(largest_count * largest_term(*args.input_encoding(0)));
  if (rules.num_divisors > 1) facts.notes.push_back(std::to_string(rules.num_divisors) + " different divisors");
  return facts;
}

}  // namespace halfstep::ops
