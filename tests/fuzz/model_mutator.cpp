// model_mutator.cpp: changes by protobuf reflection, and libFuzzer's entries to them.
#include "model_mutator.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "ops/op_def.hpp"

/// libFuzzer's own mutation of bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace halfstep::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::array<std::int64_t, 26> kIntegers = {0,         1,
                                                    -1,        2,
                                                    3,         4,
                                                    5,         7,
                                                    8,         16,
                                                    100,       127,
                                                    128,       255,
                                                    256,       65535,
                                                    65536,     (1LL << 31) - 1,
                                                    1LL << 31, -(1LL << 31),
                                                    1LL << 32, 1LL << 40,
                                                    1LL << 62, kLargest,
                                                    -kLargest, std::numeric_limits<std::int64_t>::min()};
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::array<float, 16> kReals = {
    0.0F,  -0.0F,  1.0F,     -1.0F, 0.5F,   2.0F,      1e-45F,     1e-38F,
    1e-5F, 255.0F, 65504.0F, 3e38F, -3e38F, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
constexpr std::array<std::string_view, 44> kAttributes = {"axis",
                                                          "axes",
                                                          "perm",
                                                          "kernel_shape",
                                                          "pads",
                                                          "strides",
                                                          "dilations",
                                                          "group",
                                                          "auto_pad",
                                                          "alpha",
                                                          "beta",
                                                          "epsilon",
                                                          "to",
                                                          "keepdims",
                                                          "mode",
                                                          "ceil_mode",
                                                          "count_include_pad",
                                                          "output_padding",
                                                          "output_shape",
                                                          "split",
                                                          "num_outputs",
                                                          "transA",
                                                          "transB",
                                                          "value",
                                                          "equation",
                                                          "direction",
                                                          "hidden_size",
                                                          "block_size",
                                                          "blocksize",
                                                          "noop_with_empty_axes",
                                                          "coordinate_transformation_mode",
                                                          "nearest_mode",
                                                          "exclude_outside",
                                                          "largest",
                                                          "sorted",
                                                          "batch_dims",
                                                          "allowzero",
                                                          "start",
                                                          "end",
                                                          "exclusive",
                                                          "reverse",
                                                          "num_groups",
                                                          "linear_before_reset",
                                                          "approximate"};
constexpr std::size_t kMaxElements = 4096;  ///< Data are made for as many.

void collect(Message& message, std::vector<Message*>& messages, std::vector<std::string>& names) {
  messages.push_back(&message);
  const Reflection& access = *message.GetReflection();
  if (const auto* node = dynamic_cast<const onnx::NodeProto*>(&message)) {
    names.insert(names.end(), node->input().begin(), node->input().end());
    names.insert(names.end(), node->output().begin(), node->output().end());
  } else if (const auto* tensor = dynamic_cast<const onnx::TensorProto*>(&message)) {
    if (!tensor->name().empty()) names.push_back(tensor->name());
  } else if (const auto* info = dynamic_cast<const onnx::ValueInfoProto*>(&message)) {
    names.push_back(info->name());
  }
  std::vector<const FieldDescriptor*> fields;
  access.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      collect(*access.MutableMessage(&message, field), messages, names);
      continue;
    }
    for (int i = 0; i < access.FieldSize(message, field); ++i) {
      collect(*access.MutableRepeatedMessage(&message, field, i), messages, names);
    }
  }
}

/// Bytes of an element in raw_data; 0: none.
std::size_t element_bytes(int data_type) {
  switch (data_type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT32:
      return 4;
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::BOOL:
      return 1;
    case onnx::TensorProto::UINT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      return 2;
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
    case onnx::TensorProto::DOUBLE:
      return 8;
    default:
      return 0;
  }
}

/// Makes the data as long as the dims say, if these are small.
void fit_data(onnx::TensorProto& tensor) {
  std::size_t elements = 1;
  for (const std::int64_t dim : tensor.dims()) {
    if (dim < 0 || dim > static_cast<std::int64_t>(kMaxElements)) return;
    elements *= static_cast<std::size_t>(dim);
    if (elements > kMaxElements) return;
  }
  const int count = static_cast<int>(elements);
  if (tensor.has_raw_data() && element_bytes(tensor.data_type()) > 0) {
    tensor.mutable_raw_data()->resize(elements * element_bytes(tensor.data_type()));
  } else if (tensor.float_data_size() > 0) {
    tensor.mutable_float_data()->Resize(count, tensor.float_data(0));
  } else if (tensor.int32_data_size() > 0) {
    tensor.mutable_int32_data()->Resize(count, tensor.int32_data(0));
  } else if (tensor.int64_data_size() > 0) {
    tensor.mutable_int64_data()->Resize(count, tensor.int64_data(0));
  }
}

/// Says which kind of value the attribute has.
void fit_type(onnx::AttributeProto& attribute) {
  if (attribute.has_f()) attribute.set_type(onnx::AttributeProto::FLOAT);
  if (attribute.has_i()) attribute.set_type(onnx::AttributeProto::INT);
  if (attribute.has_s()) attribute.set_type(onnx::AttributeProto::STRING);
  if (attribute.has_t()) attribute.set_type(onnx::AttributeProto::TENSOR);
  if (attribute.has_g()) attribute.set_type(onnx::AttributeProto::GRAPH);
  if (attribute.floats_size() > 0) attribute.set_type(onnx::AttributeProto::FLOATS);
  if (attribute.ints_size() > 0) attribute.set_type(onnx::AttributeProto::INTS);
}

}  // namespace

ModelMutator::ModelMutator(onnx::ModelProto& model, unsigned seed) : model_(model), rng_(seed) {
  collect(model_, messages_, names_);
  names_.emplace_back();
}

const std::string& ModelMutator::drawn_name() { return names_[draw(names_.size())]; }

std::int64_t ModelMutator::drawn_integer(std::int64_t old) {
  switch (draw(4)) {
    case 0:
      return kIntegers[draw(kIntegers.size())];
    case 1:
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(old) + (one_in(2) ? 1 : ~0ULL));
    default:
      return static_cast<std::int64_t>(draw(10)) - 1;
  }
}

double ModelMutator::drawn_real(double old) {
  if (one_in(2)) return kReals[draw(kReals.size())];
  return one_in(2) ? -old : old * (one_in(2) ? 2.0 : 0.001);
}

std::string ModelMutator::drawn_text(const Message& message, const Field& field, std::string old) {
  if (dynamic_cast<const onnx::NodeProto*>(&message) != nullptr && field.name() == "op_type") {
    const std::span<const ops::OpDef> all = ops::all_ops();
    return std::string(all[draw(all.size())].type);
  }
  if (dynamic_cast<const onnx::AttributeProto*>(&message) != nullptr && field.name() == "name") {
    return std::string(kAttributes[draw(kAttributes.size())]);
  }
  if (field.type() != FieldDescriptor::TYPE_BYTES && !one_in(8)) return drawn_name();
  const std::size_t size = old.size();
  old.resize(size + 16);
  old.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(old.data()), size, size + 16));
  return old;
}

void ModelMutator::set_scalar(Message& message, const Field& field, int index) {
  const Reflection& access = *message.GetReflection();
  const Field* f = &field;
  // index < 0: not repeated.
  const auto set = [&]<class T>(T (Reflection::*get_one)(const Message&, const Field*, int) const,
                                T (Reflection::*get)(const Message&, const Field*) const,
                                void (Reflection::*set_one)(Message*, const Field*, int, T) const,
                                void (Reflection::*set_it)(Message*, const Field*, T) const, auto drawn) {
    const T old = index < 0 ? (access.*get)(message, f) : (access.*get_one)(message, f, index);
    const T value = drawn(old);
    if (index < 0) {
      (access.*set_it)(&message, f, value);
    } else {
      (access.*set_one)(&message, f, index, value);
    }
  };
  const auto integer = [this](auto old) {
    return static_cast<decltype(old)>(drawn_integer(static_cast<std::int64_t>(old)));
  };
  const auto real = [this](auto old) { return static_cast<decltype(old)>(static_cast<float>(drawn_real(old))); };
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return set(&Reflection::GetRepeatedInt32, &Reflection::GetInt32, &Reflection::SetRepeatedInt32,
                 &Reflection::SetInt32, integer);
    case Field::CPPTYPE_INT64:
      return set(&Reflection::GetRepeatedInt64, &Reflection::GetInt64, &Reflection::SetRepeatedInt64,
                 &Reflection::SetInt64, integer);
    case Field::CPPTYPE_UINT64:
      return set(&Reflection::GetRepeatedUInt64, &Reflection::GetUInt64, &Reflection::SetRepeatedUInt64,
                 &Reflection::SetUInt64, integer);
    case Field::CPPTYPE_FLOAT:
      return set(&Reflection::GetRepeatedFloat, &Reflection::GetFloat, &Reflection::SetRepeatedFloat,
                 &Reflection::SetFloat, real);
    case Field::CPPTYPE_DOUBLE:
      return set(&Reflection::GetRepeatedDouble, &Reflection::GetDouble, &Reflection::SetRepeatedDouble,
                 &Reflection::SetDouble, real);
    case Field::CPPTYPE_STRING:
      if (index < 0) {
        access.SetString(&message, f, drawn_text(message, field, access.GetString(message, f)));
      } else {
        access.SetRepeatedString(&message, f, index,
                                 drawn_text(message, field, access.GetRepeatedString(message, f, index)));
      }
      return;
    case Field::CPPTYPE_ENUM:
      if (index < 0) access.SetEnumValue(&message, f, static_cast<int>(draw(23)));
      return;
    default:
      return;
  }
}

void ModelMutator::change_repeated(Message& message, const Field& field) {
  const Reflection& access = *message.GetReflection();
  const int size = access.FieldSize(message, &field);
  const bool is_message = field.cpp_type() == Field::CPPTYPE_MESSAGE;
  const int at = size == 0 ? 0 : static_cast<int>(draw(static_cast<std::size_t>(size)));
  const std::size_t what = size == 0 ? 0 : draw(is_message ? 3 : 6);
  if (what == 0) {  // One more, a copy of one that is there.
    switch (field.cpp_type()) {
      case Field::CPPTYPE_MESSAGE: {
        Message* added = access.AddMessage(&message, &field);
        if (size > 0) added->CopyFrom(access.GetRepeatedMessage(message, &field, at));
        return;
      }
      case Field::CPPTYPE_INT32:
        return access.AddInt32(&message, &field, static_cast<std::int32_t>(drawn_integer(0)));
      case Field::CPPTYPE_INT64:
        return access.AddInt64(&message, &field, drawn_integer(0));
      case Field::CPPTYPE_FLOAT:
        return access.AddFloat(&message, &field, static_cast<float>(drawn_real(1.0)));
      case Field::CPPTYPE_STRING:
        return access.AddString(&message, &field, drawn_text(message, field, ""));
      default:
        return;
    }
  }
  if (what == 1) {
    access.SwapElements(&message, &field, at, size - 1);
    access.RemoveLast(&message, &field);
  } else if (what == 2) {
    access.SwapElements(&message, &field, at, static_cast<int>(draw(static_cast<std::size_t>(size))));
  } else {
    set_scalar(message, field, at);
  }
}

void ModelMutator::change_message(Message& message) {
  const Reflection& access = *message.GetReflection();
  std::vector<const Field*> fields;
  access.ListFields(message, &fields);
  // Now and then a field that is not there yet.
  if (fields.empty() || one_in(6)) {
    const google::protobuf::Descriptor& all = *message.GetDescriptor();
    fields = {all.field(static_cast<int>(draw(static_cast<std::size_t>(all.field_count()))))};
  }
  const Field& field = *fields[draw(fields.size())];
  if (field.is_repeated()) return change_repeated(message, field);
  if (one_in(8)) return access.ClearField(&message, &field);
  if (field.cpp_type() != Field::CPPTYPE_MESSAGE) return set_scalar(message, field, -1);
  // Another message of the same kind.
  std::vector<const Message*> same;
  for (const Message* other : messages_) {
    if (other->GetDescriptor() == field.message_type()) same.push_back(other);
  }
  if (same.empty()) {
    access.MutableMessage(&message, &field);
    return;
  }
  const std::string copy = same[draw(same.size())]->SerializePartialAsString();  // It may hold `message`.
  access.MutableMessage(&message, &field)->ParsePartialFromString(copy);
}

void ModelMutator::repair(Message& changed) {
  if (one_in(8)) return;
  if (auto* tensor = dynamic_cast<onnx::TensorProto*>(&changed)) fit_data(*tensor);
  if (auto* attribute = dynamic_cast<onnx::AttributeProto*>(&changed)) fit_type(*attribute);
}

void ModelMutator::change() {
  Message& message = *messages_[draw(messages_.size())];
  change_message(message);
  repair(message);
  messages_.clear();
  names_.clear();
  collect(model_, messages_, names_);
  names_.emplace_back();
}

void ModelMutator::take_from(onnx::ModelProto& other) {
  std::vector<Message*> parts;
  std::vector<std::string> names;
  collect(other, parts, names);
  const Message& part = *parts[draw(parts.size())];
  if (const auto* node = dynamic_cast<const onnx::NodeProto*>(&part); node != nullptr && one_in(2)) {
    // One node more, which reads tensors of this model.
    onnx::NodeProto* added = model_.mutable_graph()->add_node();
    *added = *node;
    for (std::string& input : *added->mutable_input()) input = drawn_name();
    return;
  }
  std::vector<Message*> same;
  for (Message* own : messages_) {
    if (own->GetDescriptor() == part.GetDescriptor() && own != &model_) same.push_back(own);
  }
  if (!same.empty()) same[draw(same.size())]->CopyFrom(part);
}

}  // namespace halfstep::fuzz

namespace {

std::size_t write(const onnx::ModelProto& model, std::uint8_t* data, std::size_t max_size) {
  const std::string bytes = model.SerializePartialAsString();
  if (bytes.empty() || bytes.size() > max_size) return 0;
  std::ranges::copy(bytes, reinterpret_cast<char*>(data));
  return bytes.size();
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  onnx::ModelProto model;
  std::size_t written = 0;
  if (seed % 64 != 0 && model.ParsePartialFromArray(data, static_cast<int>(size))) {
    halfstep::fuzz::ModelMutator mutator(model, seed);
    for (unsigned changes = 1 + seed / 64 % 4; changes > 0; --changes) mutator.change();
    written = write(model, data, max_size);
  }
  return written > 0 ? written : LLVMFuzzerMutate(data, size, max_size);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data, std::size_t size,
                                                 const std::uint8_t* other_data, std::size_t other_size,
                                                 std::uint8_t* out, std::size_t max_out_size, unsigned seed) {
  onnx::ModelProto model;
  onnx::ModelProto other;
  if (!model.ParsePartialFromArray(data, static_cast<int>(size)) ||
      !other.ParsePartialFromArray(other_data, static_cast<int>(other_size))) {
    return 0;
  }
  halfstep::fuzz::ModelMutator(model, seed).take_from(other);
  return write(model, out, max_out_size);
}
