// table_access.cpp: looks rows up.
#include "unit/ops/table_access.hpp"

#include "ops/evaluate.hpp"
#include "ops/op_def.hpp"

namespace halfstep::ops {

Result<Inferred> infer_by_table(const NodeArgs& args) {
  const OpDef* op = find_op(args.node);
  return op == nullptr ? Error{ErrorCode::kUnsupported, "unknown operator"} : checked_infer(*op, args);
}

Result<Prepared> lower_float_by_table(const LowerArgs& args) {
  const OpDef* op = find_op(args.node);
  return op == nullptr ? Error{ErrorCode::kUnsupported, "unknown operator"} : op->lower_float(args);
}

Result<FixedForm> lower_fixed_by_table(const FixedArgs& args) {
  const OpDef* op = find_op(args.node);
  return op == nullptr ? Error{ErrorCode::kUnsupported, "unknown operator"} : op->lower_fixed(args);
}

}  // namespace halfstep::ops
