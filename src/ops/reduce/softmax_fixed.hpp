// softmax_fixed.hpp: the integer forms of Softmax and LogSoftmax.
#pragma once

#include "ops/fixed_form.hpp"

namespace halfstep::ops {

Result<FixedForm> lower_softmax_fixed(const FixedArgs& args);
Result<FixedForm> lower_log_softmax_fixed(const FixedArgs& args);

}  // namespace halfstep::ops
