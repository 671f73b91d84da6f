// version.cpp: what --version prints.
#include "cli/version.hpp"

#include "cli/commit.hpp"
#include "halfstep/version.hpp"

namespace halfstep::cli {

std::string version_text() {
  return std::string("halfstep ") + kVersion + "\ncommit " + kCommit + "\ncompiler " + HALFSTEP_COMPILER +
         "\ninstruction set " + std::string(instruction_set());
}

}  // namespace halfstep::cli
