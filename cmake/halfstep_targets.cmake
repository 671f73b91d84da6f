# halfstep_targets.cmake: how targets of this project are made.

# Flags every target shares. Numerics: no contraction, no fast-math, so that a
# formula means the same on every machine.
add_library(halfstep_flags INTERFACE)
target_compile_features(halfstep_flags INTERFACE cxx_std_20)
target_compile_options(halfstep_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -ffp-contract=off)
# No result changes: only errno and floating-point exception flags, which nobody reads, are given up.
target_compile_options(halfstep_flags INTERFACE -fno-math-errno -fno-trapping-math)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Warns about std::string's own operator+ (GCC bug 105651).
  target_compile_options(halfstep_flags INTERFACE -Wno-restrict)
endif()
if(HALFSTEP_WARNINGS_AS_ERRORS)
  target_compile_options(halfstep_flags INTERFACE -Werror)
endif()
if(HALFSTEP_SANITIZE)
  target_compile_options(halfstep_flags INTERFACE -fsanitize=${HALFSTEP_SANITIZE} -fno-sanitize-recover=all
                                                  -fno-omit-frame-pointer)
  target_link_options(halfstep_flags INTERFACE -fsanitize=${HALFSTEP_SANITIZE})
endif()

# halfstep_layer(name folder [DEPENDS layer...] [LIBRARIES target...])
# A static library halfstep_<name> of all sources directly in src/<folder>, or in several folders (a list).
function(halfstep_layer name folder)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES" ${ARGN})
  list(TRANSFORM folder PREPEND ${PROJECT_SOURCE_DIR}/src/)
  list(TRANSFORM folder APPEND /*.cpp)
  file(GLOB sources CONFIGURE_DEPENDS ${folder})
  if(NOT sources)
    return()
  endif()
  add_library(halfstep_${name} STATIC ${sources})
  target_include_directories(halfstep_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  list(TRANSFORM ARG_DEPENDS PREPEND halfstep_)
  target_link_libraries(halfstep_${name} PRIVATE $<BUILD_INTERFACE:halfstep_flags>)
  foreach(dependency ${ARG_DEPENDS})
    if(TARGET ${dependency})
      target_link_libraries(halfstep_${name} PUBLIC ${dependency})
    endif()
  endforeach()
  target_link_libraries(halfstep_${name} PRIVATE ${ARG_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY HALFSTEP_LAYERS halfstep_${name})
endfunction()

# halfstep_test(name FOLDER folder LINK target...)
# A GoogleTest program of all sources in tests/<folder>, run by CTest under `name`.
function(halfstep_test name)
  cmake_parse_arguments(ARG "" "FOLDER" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${ARG_FOLDER}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE halfstep_flags ${ARG_LINK} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # Mistakes the clean-up of half-built aggregates for a use.
    target_compile_options(${name} PRIVATE -Wno-maybe-uninitialized)
  endif()
  target_compile_definitions(${name} PRIVATE
    HALFSTEP_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data" HALFSTEP_SHARED_DATA="${PROJECT_SOURCE_DIR}/../shared/data")
  add_test(NAME ${name} COMMAND ${name})
endfunction()
