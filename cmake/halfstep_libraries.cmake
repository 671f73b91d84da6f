# halfstep_libraries.cmake: which form of the third-party libraries is linked, and whose licences travel with them.
#
# Sets HALFSTEP_ONNX and HALFSTEP_SPDLOG to targets that this decides, HALFSTEP_LINKED to all that whoever links
# libhalfstep.a has to link, and HALFSTEP_LINKED_PACKAGES to the Debian packages whose code is in a tool of
# HALFSTEP_STATIC_LIBRARIES: NOTICE names each.

if(HALFSTEP_STATIC_LIBRARIES)
  set(HALFSTEP_ONNX halfstep_onnx_proto)  # Below.
  set(HALFSTEP_SPDLOG halfstep_spdlog)
else()
  set(HALFSTEP_ONNX onnx_proto)
  set(HALFSTEP_SPDLOG spdlog::spdlog)
endif()
set(HALFSTEP_LINKED Threads::Threads ${HALFSTEP_ONNX} protobuf::libprotobuf PNG::PNG)
set(HALFSTEP_LINKED_PACKAGES libprotobuf-dev libonnx-dev libpng-dev zlib1g-dev libspdlog-dev libfmt-dev libcli11-dev
                             nlohmann-json3-dev libeigen3-dev libstdc++-12-dev)
if(TARGET JPEG::JPEG)
  list(APPEND HALFSTEP_LINKED JPEG::JPEG)
  list(APPEND HALFSTEP_LINKED_PACKAGES libjpeg62-turbo-dev)
endif()

if(NOT HALFSTEP_STATIC_LIBRARIES)
  return()
endif()

# Debian has no archives of these two libraries, but all of their code that is needed in headers.
add_library(halfstep_spdlog INTERFACE)
target_include_directories(halfstep_spdlog SYSTEM INTERFACE
  $<TARGET_PROPERTY:spdlog::spdlog_header_only,INTERFACE_INCLUDE_DIRECTORIES>
  $<TARGET_PROPERTY:fmt::fmt-header-only,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(halfstep_spdlog INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY=1)
target_link_libraries(halfstep_spdlog INTERFACE Threads::Threads)

# Nor of ONNX's messages, nor their .proto file: the shared library knows it, and protoc makes the sources of that.
find_library(HALFSTEP_SHARED_PROTOBUF NAMES libprotobuf.so REQUIRED)
add_executable(halfstep_onnx_descriptor ${PROJECT_SOURCE_DIR}/cmake/onnx_descriptor.cpp)
target_compile_features(halfstep_onnx_descriptor PRIVATE cxx_std_20)
target_include_directories(halfstep_onnx_descriptor SYSTEM PRIVATE
  $<TARGET_PROPERTY:onnx_proto,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(halfstep_onnx_descriptor PRIVATE
  $<TARGET_PROPERTY:onnx_proto,INTERFACE_COMPILE_DEFINITIONS>)
target_link_libraries(halfstep_onnx_descriptor PRIVATE $<TARGET_FILE:onnx_proto> ${HALFSTEP_SHARED_PROTOBUF}
                                                       Threads::Threads)
set(onnx_folder ${PROJECT_BINARY_DIR}/generated/onnx_proto)
file(MAKE_DIRECTORY ${onnx_folder})
add_custom_command(OUTPUT ${onnx_folder}/onnx/onnx-ml.pb.cc ${onnx_folder}/onnx/onnx-ml.pb.h VERBATIM
  COMMAND halfstep_onnx_descriptor ${onnx_folder}/descriptor.bin
  COMMAND protobuf::protoc --descriptor_set_in=${onnx_folder}/descriptor.bin --cpp_out=${onnx_folder} onnx/onnx-ml.proto
  DEPENDS halfstep_onnx_descriptor)
add_library(halfstep_onnx_proto STATIC ${onnx_folder}/onnx/onnx-ml.pb.cc)
target_include_directories(halfstep_onnx_proto PRIVATE ${onnx_folder})
target_include_directories(halfstep_onnx_proto SYSTEM INTERFACE
  $<TARGET_PROPERTY:onnx_proto,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(halfstep_onnx_proto PUBLIC $<TARGET_PROPERTY:onnx_proto,INTERFACE_COMPILE_DEFINITIONS>)
target_link_libraries(halfstep_onnx_proto PUBLIC protobuf::libprotobuf)
