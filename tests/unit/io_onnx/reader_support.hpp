// reader_support.hpp: models for tests of the reader, written as protobuf text.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>

#include "io/onnx/reader.hpp"

namespace halfstep::io {

/// The serialized onnx.ModelProto that `text` describes. The classes are found
/// by name, so that tests need no ONNX header.
inline std::string model_bytes(const std::string& text) {
  using namespace google::protobuf;
  const Descriptor* type = DescriptorPool::generated_pool()->FindMessageTypeByName("onnx.ModelProto");
  std::unique_ptr<Message> model(MessageFactory::generated_factory()->GetPrototype(type)->New());
  EXPECT_TRUE(TextFormat::ParseFromString(text, model.get())) << text;
  return model->SerializeAsString();
}

inline Result<ReadModel> read_bytes(const std::string& bytes) { return read_onnx(std::as_bytes(std::span(bytes))); }

/// A whole model around the body of a graph.
inline std::string model_text(const std::string& graph, int opset = 21) {
  return "ir_version: 8 opset_import { version: " + std::to_string(opset) + " } graph { name: 'g' " + graph + " }";
}

inline std::string tensor_type(int elem_type, const std::string& dims) {
  return "type { tensor_type { elem_type: " + std::to_string(elem_type) + " shape { " + dims + " } } } ";
}

/// A float32 graph input or output of two extents, 2 and 3.
inline std::string input_text(const std::string& name) {
  return "input { name: '" + name + "' " + tensor_type(1, "dim { dim_value: 2 } dim { dim_value: 3 }") + "} ";
}
inline std::string output_text(const std::string& name) {
  return "output { name: '" + name + "' " + tensor_type(1, "dim { dim_value: 2 } dim { dim_value: 3 }") + "} ";
}

inline Result<ReadModel> read_graph(const std::string& graph, int opset = 21) {
  return read_bytes(model_bytes(model_text(graph, opset)));
}

/// The error of a graph that must not be readable, as "code: message".
inline std::string error_of(const Result<ReadModel>& result) {
  if (result.ok()) return "read without error";
  return (result.error().code == ErrorCode::kUnsupported ? "unsupported: " : "invalid: ") + result.error().message;
}

/// The constant called `name`, which must exist.
inline const Tensor& constant_named(const graph::Graph& graph, const std::string& name) {
  const graph::ValueId id = graph::find_value(graph, name);
  static const Tensor kNone;
  EXPECT_NE(id, graph::kNoValue) << name;
  if (id == graph::kNoValue || graph::constant_of(graph, id) == nullptr) return kNone;
  return *graph::constant_of(graph, id);
}

/// An empty folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "halfstep_reader_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace halfstep::io
