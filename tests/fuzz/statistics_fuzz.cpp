// statistics_fuzz.cpp: a statistics file; what is read can be merged with itself and comes back from what is written.
#include "fuzz_target.hpp"
#include "io/json/statistics_json.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  Result<io::Statistics> read = io::read_statistics(fuzz::as_text(data, size), "statistics.json");
  if (!fuzz::succeeded(read)) return 0;
  const std::string text = io::write_statistics(*read);
  const Result<io::Statistics> again = io::read_statistics(text, "statistics.json");
  fuzz::expect(again.ok() && io::write_statistics(*again) == text, "statistics that do not come back");
  for (auto& [name, observation] : read->observations) observation.merge(again->observations.at(name));
  return 0;
}
