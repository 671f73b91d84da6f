// input_list_fuzz.cpp: input lists and label files.
#include "fuzz_target.hpp"
#include "io/samples/input_list.hpp"
#include "io/samples/labels.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  const std::string_view text = fuzz::as_text(data, size);
  const Result<io::InputList> list = io::parse_input_list(text, "list.txt");
  if (fuzz::succeeded(list)) fuzz::expect(!list->samples.empty(), "a list without samples");
  (void)fuzz::succeeded(io::parse_labels(text, "labels.txt"));
  return 0;
}
