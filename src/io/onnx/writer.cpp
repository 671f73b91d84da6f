// writer.cpp: from our Graph to ONNX's protobuf and to disk.
#include "io/onnx/writer.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/atomic_file.hpp"
#include "core/half.hpp"
#include "core/text.hpp"
#include "io/onnx/export_forms.hpp"
#include "io/onnx/half_casts.hpp"
#include "io/onnx/nbits_graph.hpp"
#include "io/onnx/qdq_graph.hpp"

namespace halfstep::io {
namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;

/// Protobuf ends at 2 GiB; the rest of the message needs room too.
constexpr std::int64_t kMaxInlineBytes = 1'900'000'000;
constexpr std::int64_t kMinExternalTensorBytes = 1024;
constexpr std::int64_t kExternalAlignmentBytes = 64;

// Newer than Debian's schema; in the standard since opset 21.
constexpr int kOnnxUint4 = 21;
constexpr int kOnnxInt4 = 22;

int onnx_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return onnx::TensorProto::FLOAT;
    case DType::kInt8:
      return onnx::TensorProto::INT8;
    case DType::kInt16:
      return onnx::TensorProto::INT16;
    case DType::kInt32:
      return onnx::TensorProto::INT32;
    case DType::kInt64:
      return onnx::TensorProto::INT64;
    case DType::kUint8:
      return onnx::TensorProto::UINT8;
    case DType::kUint16:
      return onnx::TensorProto::UINT16;
    case DType::kUint32:
      return onnx::TensorProto::UINT32;
    case DType::kUint64:
      return onnx::TensorProto::UINT64;
    case DType::kBool:
      return onnx::TensorProto::BOOL;
  }
  return onnx::TensorProto::UNDEFINED;
}

int ir_version_for(int opset, int file_ir_version) {
  const int needed = opset >= 23 ? 11 : opset >= 21 ? 10 : opset >= 19 ? 9 : opset >= 15 ? 8 : 7;
  return std::max(needed, file_ir_version);
}

/// Two 4-bit codes a byte, the first in the low half.
std::string packed_nibbles(const Tensor& codes) {
  const auto count = static_cast<std::size_t>(codes.num_elements());
  std::string packed((count + 1) / 2, '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const auto nibble = static_cast<unsigned>(codes.bytes()[i]) & 0xFU;
    packed[i / 2] = static_cast<char>(static_cast<unsigned char>(packed[i / 2]) | (nibble << (i % 2 * 4)));
  }
  return packed;
}

/// Float32 values in half precision, two bytes each.
std::string halves_of(const Tensor& tensor) {
  std::string bytes;
  for (const float x : tensor.values<float>()) {
    const std::uint16_t half = half_of(x);
    bytes.append(reinterpret_cast<const char*>(&half), sizeof(half));
  }
  return bytes;
}

/// Tensors too many for one message go to a second file.
class TensorSink {
 public:
  TensorSink(AtomicFile* external, std::string location) : external_(external), location_(std::move(location)) {}

  Result<void> put(const Tensor& tensor, int narrow_bits, graph::RealFormat format, onnx::TensorProto& proto) {
    for (std::int64_t dim : tensor.shape()) proto.add_dims(dim);
    if (format == graph::RealFormat::kFloat16 && tensor.dtype() == DType::kFloat32) {
      proto.set_data_type(onnx::TensorProto::FLOAT16);
      return put_bytes(halves_of(tensor), proto);
    }
    if (narrow_bits == 4) {
      proto.set_data_type(tensor.dtype() == DType::kInt8 ? kOnnxInt4 : kOnnxUint4);
      proto.set_raw_data(packed_nibbles(tensor));
      return {};
    }
    proto.set_data_type(onnx_type(tensor.dtype()));
    const auto* bytes = reinterpret_cast<const char*>(tensor.bytes());
    return put_bytes({bytes, static_cast<std::size_t>(tensor.num_bytes())}, proto);
  }

 private:
  Result<void> put_bytes(std::string_view bytes, onnx::TensorProto& proto) {
    if (external_ == nullptr || static_cast<std::int64_t>(bytes.size()) < kMinExternalTensorBytes) {
      proto.set_raw_data(bytes.data(), bytes.size());
      return {};
    }
    const auto misaligned = static_cast<std::int64_t>(external_->size()) % kExternalAlignmentBytes;
    if (misaligned != 0) {
      const std::string padding(static_cast<std::size_t>(kExternalAlignmentBytes - misaligned), '\0');
      if (Result<void> written = external_->write(padding); !written.ok()) return written;
    }
    proto.set_data_location(onnx::TensorProto::EXTERNAL);
    const auto entry = [&](const char* key, std::string value) {
      auto* pair = proto.add_external_data();
      pair->set_key(key);
      pair->set_value(std::move(value));
    };
    entry("location", location_);
    entry("offset", std::to_string(external_->size()));
    entry("length", std::to_string(bytes.size()));
    return external_->write(bytes);
  }

  AtomicFile* external_;
  std::string location_;
};

void put_attribute(const std::string& name, const graph::Attribute& value, onnx::NodeProto& node) {
  onnx::AttributeProto& proto = *node.add_attribute();
  proto.set_name(name);
  struct Visitor {
    onnx::AttributeProto& proto;
    void operator()(std::int64_t v) const { proto.set_type(onnx::AttributeProto::INT), proto.set_i(v); }
    void operator()(float v) const { proto.set_type(onnx::AttributeProto::FLOAT), proto.set_f(v); }
    void operator()(const std::string& v) const { proto.set_type(onnx::AttributeProto::STRING), proto.set_s(v); }
    void operator()(const std::vector<std::int64_t>& v) const {
      proto.set_type(onnx::AttributeProto::INTS);
      for (std::int64_t x : v) proto.add_ints(x);
    }
    void operator()(const std::vector<float>& v) const {
      proto.set_type(onnx::AttributeProto::FLOATS);
      for (float x : v) proto.add_floats(x);
    }
    void operator()(const std::vector<std::string>& v) const {
      proto.set_type(onnx::AttributeProto::STRINGS);
      for (const std::string& x : v) proto.add_strings(x);
    }
    void operator()(const Tensor& v) const {
      proto.set_type(onnx::AttributeProto::TENSOR);
      // Without a second file put() can't fail.
      (void)TensorSink(nullptr, "").put(v, 0, graph::RealFormat::kFloat32, *proto.mutable_t()).ok();
    }
    void operator()(const std::shared_ptr<const Graph>&) const {}  // Passes leave no subgraphs.
  };
  std::visit(Visitor{proto}, value);
}

void put_declared(const std::string& name, const graph::Declared& declared, onnx::ValueInfoProto& proto) {
  proto.set_name(name);
  auto& tensor = *proto.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx_type(declared.dtype));
  if (!declared.dims) return;
  auto& shape = *tensor.mutable_shape();
  for (const graph::Dim& dim : *declared.dims) {
    auto& proto_dim = *shape.add_dim();
    if (dim.fixed()) {
      proto_dim.set_dim_value(dim.extent);
    } else if (!dim.symbol.empty()) {
      proto_dim.set_dim_param(dim.symbol);
    }
  }
}

/// Some readers refuse a node name that occurs twice; files may have such, and so may what we add.
class UniqueNames {
 public:
  /// `name`, or `name` and a number if it was given out before. Empty stays empty.
  std::string unique(const std::string& name) {
    if (name.empty() || taken_.insert(name).second) return name;
    std::string numbered;
    int& suffix = last_suffix_[name];
    do {
      ++suffix;
      numbered = name + "_" + std::to_string(suffix + 1);
    } while (!taken_.insert(numbered).second);
    return numbered;
  }

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> last_suffix_;
};

Result<void> put_graph(const Graph& graph, TensorSink& sink, onnx::GraphProto& proto) {
  proto.set_name(graph.name.empty() ? "graph" : graph.name);
  const auto name_of = [&](graph::ValueId id) { return id == kNoValue ? std::string() : graph.value(id).name; };
  for (const graph::GraphInput& input : graph.inputs)
    put_declared(name_of(input.value), input.declared, *proto.add_input());
  for (const graph::GraphOutput& output : graph.outputs) {
    put_declared(name_of(output.value), output.declared, *proto.add_output());
  }
  UniqueNames node_names;
  for (const Node& node : graph.nodes) {
    onnx::NodeProto& node_proto = *proto.add_node();
    node_proto.set_name(node_names.unique(node.name));
    node_proto.set_op_type(node.op_type);
    node_proto.set_domain(node.domain);
    for (graph::ValueId id : node.inputs) node_proto.add_input(name_of(id));
    for (graph::ValueId id : node.outputs) node_proto.add_output(name_of(id));
    for (const auto& [name, value] : node.attributes) put_attribute(name, value, node_proto);
  }
  for (const graph::Value& value : graph.values) {
    if (!value.constant) continue;
    onnx::TensorProto& tensor = *proto.add_initializer();
    tensor.set_name(value.name);
    if (Result<void> stored = sink.put(*value.constant, value.narrow_bits, value.format, tensor); !stored.ok())
      return stored;
  }
  return {};
}

void put_header(const Graph& graph, int opset, const WriteOptions& options, onnx::ModelProto& model) {
  model.set_ir_version(ir_version_for(opset, graph.ir_version));
  model.set_producer_name(kProducer);
  model.set_producer_version(options.tool_version);
  std::map<std::string, int> opsets{{"", opset}};
  for (const Node& node : graph.nodes) {
    if (!node.domain.empty()) opsets[node.domain] = std::max(opsets[node.domain], std::max(1, node.file_opset));
  }
  for (const auto& [domain, version] : opsets) {
    auto& import = *model.add_opset_import();
    import.set_domain(domain);
    import.set_version(version);
  }
  std::map<std::string, std::string> metadata(graph.metadata.begin(), graph.metadata.end());
  for (const auto& [key, value] : options.metadata) metadata[key] = value;
  for (const auto& [key, value] : metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
}

std::int64_t constant_bytes(const Graph& graph) {
  std::int64_t total = 0;
  for (const graph::Value& value : graph.values) total += value.constant ? value.constant->num_bytes() : 0;
  return total;
}

}  // namespace

Result<PendingModel> write_onnx(const Graph& source, const EncodingSet& encodings, const std::filesystem::path& path,
                                const WriteOptions& options) {
  Result<Graph> products = options.matmul_nbits ? use_matmul_nbits(source, encodings) : Result<Graph>(source);
  if (!products.ok()) return products.error();
  Result<Graph> with_pairs = insert_qdq(*products, encodings);
  if (!with_pairs.ok()) return with_pairs.error();
  Graph with_casts = insert_half_casts(*std::move(with_pairs));
  const int opset = opset_for(with_casts);
  const Graph graph = to_export_forms(std::move(with_casts), opset);

  // Created first: an unwritable place is reported before any work.
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok()) return file.error();
  std::optional<AtomicFile> external;
  const std::filesystem::path data_path = path.string() + ".data";
  if (constant_bytes(graph) > kMaxInlineBytes) {
    Result<AtomicFile> data_file = AtomicFile::create(data_path);
    if (!data_file.ok()) return data_file.error();
    external = *std::move(data_file);
  }

  onnx::ModelProto model;
  put_header(graph, opset, options, model);
  TensorSink sink(external ? &*external : nullptr, data_path.filename().string());
  if (Result<void> stored = put_graph(graph, sink, *model.mutable_graph()); !stored.ok()) return stored.error();
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return Error{ErrorCode::kInvalidInput, path.string() + ": the model does not fit protobuf's limit of 2 GiB"};
  }
  if (Result<void> written = file->write(bytes); !written.ok()) return written.error();
  if (Result<void> finished = file->finish(); !finished.ok()) return finished.error();
  PendingModel pending{.file = *std::move(file),
                       .data = std::move(external),
                       .num_bytes = static_cast<std::int64_t>(bytes.size()),
                       .opset = opset};
  if (pending.data) {
    if (Result<void> finished = pending.data->finish(); !finished.ok()) return finished.error();
    pending.num_bytes += static_cast<std::int64_t>(pending.data->size());
  }
  return pending;
}

Result<void> PendingModel::commit() {
  if (data) {
    if (Result<void> committed = data->commit(); !committed.ok()) return committed;
  }
  return file.commit();
}

}  // namespace halfstep::io
