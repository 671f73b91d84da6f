// depthwise_rows.hpp: the 3x3 depthwise convolutions that need no padded copy.
#pragma once

#include "kernels/depthwise.hpp"

namespace halfstep::kernels::HALFSTEP_ISA {

/// Computes all of `args`, to the same bits as depthwise(), and returns true: with AVX-512, for 3x3 filters without
/// dilation, of stride 1 on images of at most 16 outputs a row, or of stride 2 and at most 1024. Otherwise does nothing
/// and returns false.
bool depthwise_by_rows(const Depthwise& args);

}  // namespace halfstep::kernels::HALFSTEP_ISA
