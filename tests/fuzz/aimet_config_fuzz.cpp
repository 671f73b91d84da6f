// aimet_config_fuzz.cpp: the text of AIMET's quantsim configuration.
#include "fuzz_target.hpp"
#include "io/json/quantsim_config.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace halfstep;
  (void)fuzz::succeeded(io::read_quantsim_config(fuzz::as_text(data, size), "aimet.json"));
  return 0;
}
