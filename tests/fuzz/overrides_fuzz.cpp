// overrides_fuzz.cpp: an overrides file is read, once strictly and once leniently.
#include "fuzz_target.hpp"
#include "io/json/overrides_json.hpp"
#include "json_model.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  for (const bool lenient : {false, true}) {
    std::set<std::string> limited;
    io::OverrideContext context;
    context.targets = fuzz::json_targets();
    context.lenient = lenient;
    context.limited = lenient ? &limited : nullptr;
    context.find_moved = [](const std::string& name) -> std::optional<MovedName> {
      if (name == "relu") return MovedName{MoveKind::kFused, "conv1", "is the input of Relu 'r'"};
      if (name == "gamma") return MovedName{MoveKind::kFolded, "w", "is a parameter of BatchNormalization 'bn'"};
      if (name == "high") return MovedName{MoveKind::kBound, "conv1", "is a bound of Clip 'c'"};
      if (name == "copy") return MovedName{MoveKind::kSame, "out", "goes on as 'out'"};
      if (name == "dead") return MovedName{MoveKind::kPart, "", "is not needed for any output of the model"};
      return std::nullopt;
    };
    const Result<io::OverridesFile> file = io::read_overrides(fuzz::as_text(data, size), "ov.json", context);
    if (!fuzz::succeeded(file)) continue;
    for (const io::Override& one : file->overrides) {
      fuzz::expect(context.targets.contains(one.tensor), "an override of a tensor that is no target");
      const int num_set = int{one.encoding.has_value()} + int{one.bits.has_value()} + int{one.float_bits.has_value()};
      fuzz::expect(num_set == 1, "an override that sets nothing, or several things");
    }
  }
  return 0;
}
