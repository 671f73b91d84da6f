// model_mutator.hpp: makes ONNX models from ONNX models, so that mutants are models, too.
//
// Random bytes end in protobuf's parser, and nearly all that pass it name tensors that nobody makes.
// libprotobuf-mutator would help with the first only, and Debian has no package of it. So messages are changed by
// reflection here, with what is known of models: names and operators that exist, attributes of the right kind, data
// that fit their dims.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace halfstep::fuzz {

class ModelMutator {
 public:
  /// `model` must outlive it.
  ModelMutator(onnx::ModelProto& model, unsigned seed);

  /// One change: a field gets another value, a message or an element appears, goes or is copied over another.
  void change();

  /// Puts a part of `other` where this model has a part of the same kind.
  void take_from(onnx::ModelProto& other);

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  std::size_t draw(std::size_t bound) { return rng_() % bound; }
  bool one_in(std::size_t n) { return draw(n) == 0; }
  const std::string& drawn_name();
  std::int64_t drawn_integer(std::int64_t old);
  double drawn_real(double old);

  void set_scalar(Message& message, const Field& field, int index);
  std::string drawn_text(const Message& message, const Field& field, std::string old);
  void change_repeated(Message& message, const Field& field);
  void change_message(Message& message);
  void repair(Message& changed);

  onnx::ModelProto& model_;
  std::mt19937 rng_;
  std::vector<Message*> messages_;  ///< All of the model.
  std::vector<std::string> names_;  ///< Of its tensors.
};

}  // namespace halfstep::fuzz
