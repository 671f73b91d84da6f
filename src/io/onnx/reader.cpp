// reader.cpp: files and bytes to models; the checks around the graph.
#include "io/onnx/reader.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <limits>

#include "core/errors.hpp"
#include "core/text.hpp"
#include "io/onnx/external_data.hpp"
#include "io/onnx/functions.hpp"
#include "io/onnx/graph_builder.hpp"
#include "io/onnx/half_casts.hpp"
#include "io/onnx/mapped_file.hpp"
#include "io/onnx/narrow_guards.hpp"
#include "io/onnx/opsets.hpp"
#include "io/onnx/tensor_proto.hpp"

namespace halfstep::io {
namespace {

// Errors become our own line; protobuf would print its own to stderr.
bool parse(std::span<const std::byte> bytes, google::protobuf::Message& message) {
  google::protobuf::LogSilencer silence;
  const int size = static_cast<int>(bytes.size());
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()), size);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  return message.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
}

Result<void> check_size(std::span<const std::byte> bytes) {
  if (bytes.empty()) return invalid("is empty");
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return invalid("is over 2 GiB, which protobuf cannot hold; keep the weights in external data files");
  }
  return {};
}

Result<ReadModel> read_model(std::span<const std::byte> bytes, ExternalSource& external) {
  if (const auto checked = check_size(bytes); !checked.ok()) return checked.error();
  onnx::ModelProto proto;
  if (!parse(bytes, proto)) return invalid("is not an ONNX model, or a truncated one");
  if (!proto.has_graph()) return invalid("is not an ONNX model: it has no graph");
  if (proto.ir_version() < 1) return invalid("has no IR version");
  const auto opsets = read_opsets(proto.opset_import());
  if (!opsets.ok()) return opsets.error();
  if (const auto checked = check_opsets(*opsets, proto.graph().node()); !checked.ok()) return checked.error();
  auto functions = FunctionLibrary::from(proto);
  if (!functions.ok()) return functions.error();

  ReadModel model;
  ModelContext context{external, *functions, model.warnings};
  GraphBuilder builder(context, nullptr);
  auto graph = builder.build(*proto.mutable_graph(), *opsets);
  if (!graph.ok()) return graph.error();
  if (const auto verified = graph::verify(*graph); !verified.ok()) return verified.error();
  model.graph = std::move(*graph);
  model.graph.ir_version =
      static_cast<int>(std::min<std::int64_t>(proto.ir_version(), std::numeric_limits<int>::max()));
  for (const auto& entry : proto.metadata_props()) model.graph.metadata.emplace_back(entry.key(), entry.value());
  if (proto.producer_name() == kProducer) {
    remove_narrow_guards(model.graph);
    restore_halves(model.graph);
  } else {
    for (graph::Value& value : model.graph.values) value.format = graph::RealFormat::kFloat32;
  }
  return model;
}

}  // namespace

Result<ReadModel> read_onnx(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  if (!file.ok()) return file.error().at(path.string());
  ExternalFolder folder(path.parent_path());
  auto model = read_model((*file)->bytes(), folder);
  if (!model.ok()) return model.error().at(path.string());
  model->num_bytes = static_cast<std::int64_t>((*file)->bytes().size()) + folder.num_bytes();
  return model;
}

Result<ReadModel> read_onnx(std::span<const std::byte> bytes) {
  NoExternalSource none;
  return read_model(bytes, none);
}

Result<Tensor> read_onnx_tensor(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  if (!file.ok()) return file.error().at(path.string());
  // An empty file is a valid message: an undefined tensor, refused below.
  onnx::TensorProto proto;
  if (!parse((*file)->bytes(), proto)) return invalid("is not a tensor").at(path.string());
  NoExternalSource none;
  auto read = read_tensor(proto, none);
  if (!read.ok()) return read.error().at(path.string());
  return std::move(read->tensor);
}

}  // namespace halfstep::io
