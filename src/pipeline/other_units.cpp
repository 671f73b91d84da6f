// other_units.cpp: names to metadata and back.
#include "pipeline/other_units.hpp"

#include <array>

#include "io/json/name_list.hpp"

namespace halfstep::pipeline {
namespace {

struct UnitsEntry {
  const char* key;
  std::set<std::string> OtherUnits::*names;
};

constexpr std::array kUnitsEntries{UnitsEntry{"halfstep.rescaled", &OtherUnits::rescaled},
                                   UnitsEntry{"halfstep.shifted", &OtherUnits::shifted}};

}  // namespace

void OtherUnits::add(const OtherUnits& more) {
  for (const UnitsEntry& entry : kUnitsEntries)
    (this->*entry.names).insert((more.*entry.names).begin(), (more.*entry.names).end());
}

std::set<std::string, std::less<>> OtherUnits::all() const {
  std::set<std::string, std::less<>> names;
  for (const UnitsEntry& entry : kUnitsEntries) names.insert((this->*entry.names).begin(), (this->*entry.names).end());
  return names;
}

OtherUnits recorded_units(const graph::Graph& graph, const std::string& place, const Observer& observer) {
  OtherUnits units;
  for (const auto& [key, value] : graph.metadata) {
    for (const UnitsEntry& entry : kUnitsEntries) {
      if (key != entry.key) continue;
      const Result<std::vector<std::string>> names = io::read_name_list(value);
      if (names.ok()) {
        (units.*entry.names).insert(names->begin(), names->end());
      } else if (observer.warning) {
        observer.warning(place + ": metadata " + key + " has no effect: " + names.error().message);
      }
    }
  }
  return units;
}

std::vector<std::pair<std::string, std::string>> metadata_of(const OtherUnits& units) {
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const UnitsEntry& entry : kUnitsEntries) {
    const std::set<std::string>& names = units.*entry.names;
    if (!names.empty()) metadata.emplace_back(entry.key, io::write_name_list({names.begin(), names.end()}));
  }
  return metadata;
}

OtherUnits incomparable(const OtherUnits& ours, const OtherUnits& theirs) {
  // The same names, the same factors: both come from one run of quantize (--float_out).
  if (ours == theirs) return {};
  OtherUnits either = ours;
  either.add(theirs);
  return either;
}

}  // namespace halfstep::pipeline
