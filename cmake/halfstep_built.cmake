# halfstep_built.cmake: the library as another build of the same sources left it (HALFSTEP_LIBRARY), for other tools.
#
# So packages differ in what the tools are linked with and share the long part. There is nothing to test or to install
# of the library then.
if(HALFSTEP_BUILD_TESTS OR NOT HALFSTEP_STATIC_LIBRARIES)
  message(FATAL_ERROR "HALFSTEP_LIBRARY goes with HALFSTEP_STATIC_LIBRARIES=ON and HALFSTEP_BUILD_TESTS=OFF")
endif()
add_library(halfstep STATIC IMPORTED GLOBAL)
set_target_properties(halfstep PROPERTIES IMPORTED_LOCATION ${HALFSTEP_LIBRARY})
target_compile_features(halfstep INTERFACE cxx_std_20)
target_include_directories(halfstep INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(halfstep INTERFACE ${HALFSTEP_LINKED})
