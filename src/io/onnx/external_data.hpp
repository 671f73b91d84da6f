// external_data.hpp: tensor data that lies in files beside the model.
#pragma once

#include <onnx/onnx_pb.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "io/onnx/mapped_file.hpp"
#include "io/onnx/tensor_proto.hpp"

namespace halfstep::io {

/// Maps each file once; the mapping lives as long as any tensor in it.
class ExternalFolder : public ExternalSource {
 public:
  explicit ExternalFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Errors: kInvalidInput for a location that is absolute, climbs with "..",
  /// leads out of the folder by a link or is no regular file, and for an offset
  /// and length that the file does not have.
  Result<RawBytes> load(const onnx::TensorProto& proto, std::int64_t needed_bytes) override;

  /// Size of all files used so far.
  std::int64_t num_bytes() const;

 private:
  Result<std::shared_ptr<const MappedFile>> map(const std::string& location);

  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace halfstep::io
