// width_overrides.cpp: AIMET's form, an entry a line.
#include "io/json/width_overrides.hpp"

#include "io/json/json_text.hpp"

namespace halfstep::io {
namespace {

std::string section(const char* name, const std::vector<WidthOverride>& entries) {
  std::string text = "  " + text_of(name) + ": {";
  for (const WidthOverride& entry : entries) {
    const Json grid{{"bitwidth", entry.bits}, {"dtype", entry.real ? "float" : "int"}};
    text +=
        (&entry == entries.data() ? "\n    " : ",\n    ") + text_of(entry.tensor) + ": " + text_of(Json::array({grid}));
  }
  return text + (entries.empty() ? "}" : "\n  }");
}

}  // namespace

std::string write_width_overrides(const WidthOverrides& overrides) {
  return "{\n  \"version\": \"0.6.1\",\n" + section("activation_encodings", overrides.activations) + ",\n" +
         section("param_encodings", overrides.parameters) + "\n}\n";
}

}  // namespace halfstep::io
