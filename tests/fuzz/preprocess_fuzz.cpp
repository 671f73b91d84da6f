// preprocess_fuzz.cpp: the text that says how photos become inputs; what is read comes back from what is written.
#include "fuzz_target.hpp"
#include "io/json/preprocess_json.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const Result<Preprocess> read = io::read_preprocess(fuzz::as_text(data, size), "preprocess.json");
  if (!fuzz::succeeded(read)) return 0;
  const std::string text = io::write_preprocess(*read);
  const Result<Preprocess> again = io::read_preprocess(text, "preprocess.json");
  fuzz::expect(again.ok() && io::write_preprocess(*again) == text, "preprocessing that does not come back: " + text);
  return 0;
}
