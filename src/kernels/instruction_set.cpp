// instruction_set.cpp: the name of the instruction set in use, for users.
#include "halfstep/version.hpp"
#include "kernels/isa.hpp"

namespace halfstep {

std::string_view instruction_set() noexcept { return kernels::name_of(kernels::active_isa()); }

}  // namespace halfstep
