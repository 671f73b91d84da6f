// target_profile_fuzz.cpp: the text of a target's profile.
#include "fuzz_target.hpp"
#include "io/json/target_json.hpp"
#include "ops/op_def.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  static const std::vector<std::string> operators = [] {
    std::vector<std::string> names;
    for (const ops::OpDef& op : ops::all_ops()) names.emplace_back(op.type);
    return names;
  }();
  (void)fuzz::succeeded(io::read_target(fuzz::as_text(data, size), "target.json", operators));
  return 0;
}
