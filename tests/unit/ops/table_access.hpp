// table_access.hpp: the functions of an operator's row without its header: tests of operators are not compiled again
// when a row gains a member.
#pragma once

#include <string>

#include "ops/fixed_form.hpp"
#include "ops/node_args.hpp"

namespace halfstep::ops {

/// Each fails with kUnsupported, "unknown operator", where the table has no row for the node.
Result<Inferred> infer_by_table(const NodeArgs& args);
Result<Prepared> lower_float_by_table(const LowerArgs& args);
Result<FixedForm> lower_fixed_by_table(const FixedArgs& args);

}  // namespace halfstep::ops
