// result_files.cpp: tensor names as file names.
#include "pipeline/result_files.hpp"

namespace halfstep::pipeline {
namespace {

// File systems end at 255 bytes.
constexpr std::size_t kMaxStemBytes = 200;

}  // namespace

std::string unique_file_stem(const std::string& tensor, std::set<std::string>& taken) {
  std::string stem = tensor.substr(0, kMaxStemBytes);
  for (char& c : stem) {
    if (c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  }
  if (stem == "." || stem == "..") stem = "_";
  std::string unique = stem;
  for (int i = 2; !taken.insert(unique).second; ++i) unique = std::to_string(i) + "_" + stem;
  return unique;
}

}  // namespace halfstep::pipeline
