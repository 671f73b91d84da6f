// main.cpp: quantizes a model through the installed library: outside MODEL INPUT_LIST.
#include <cstdio>
#include <string>

#include "halfstep/evaluate.hpp"
#include "halfstep/inspect.hpp"
#include "halfstep/quantize.hpp"
#include "halfstep/run.hpp"
#include "halfstep/version.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto dims = halfstep::parse_dims("1,3,224,224");
  if (!dims.ok() || dims->size() != 4 || (*dims)[3] != 224) return 10;
  if (halfstep::parse_dims("1,-3").ok()) return 11;
  if (halfstep::operators_table().find("Conv") == std::string::npos) return 12;

  halfstep::QuantizeRequest request;
  request.model.model = argv[1];
  request.input_list = argv[2];
  request.output_path = "outside.onnx";
  const auto outcome = halfstep::quantize(request);
  if (!outcome.ok()) {
    std::fprintf(stderr, "%s\n", outcome.error().message.c_str());
    return halfstep::exit_status(outcome.error().code);
  }
  std::printf("halfstep %s wrote %s\n", halfstep::kVersion, outcome->model.c_str());
  return 0;
}
