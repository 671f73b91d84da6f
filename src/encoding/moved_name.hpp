// moved_name.hpp: where a tensor of the user's model went when the model was prepared.
#pragma once

#include <string>

namespace halfstep {

/// How the tensor that survived relates to the one that went.
enum class MoveKind {
  kSame,    ///< It holds the same values under another name.
  kFused,   ///< It is what an activation, now part of its producer, makes of the tensor.
  kFolded,  ///< The arithmetic between the two is part of a linear node's weights now.
  kBound,   ///< It is a constant that limits the survivor.
  kPart,    ///< The nearest tensor behind it.
};

struct MovedName {
  MoveKind kind = MoveKind::kPart;
  std::string tensor;  ///< The survivor; empty if there is none.
  /// Goes on from the name: "is the input of BatchNormalization 'bn1', which is part of node 'conv1' (Conv) now".
  std::string how;
};

}  // namespace halfstep
