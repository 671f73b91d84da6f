# halfstep_package.cmake: the Debian package and the archive that CPack makes; tools/dev/package.sh builds and tests them.
set(HALFSTEP_MAINTAINER "Halfstep maintainers <halfstep@example.com>" CACHE STRING "Of the Debian package")

# What Debian wants of a package beside its files.
execute_process(COMMAND git --git-dir=${PROJECT_SOURCE_DIR}/.git log -1 --format=%cD OUTPUT_VARIABLE halfstep_date
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT halfstep_date)
  string(TIMESTAMP halfstep_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
endif()
set(halfstep_debian ${PROJECT_BINARY_DIR}/debian)
file(CONFIGURE OUTPUT ${halfstep_debian}/changelog @ONLY CONTENT [=[
halfstep (@PROJECT_VERSION@) stable; urgency=medium

  * What changed is in CHANGELOG.md.

 -- @HALFSTEP_MAINTAINER@  @halfstep_date@
]=])
execute_process(COMMAND gzip -9nkf ${halfstep_debian}/changelog COMMAND_ERROR_IS_FATAL ANY)
configure_file(cmake/debian_copyright.in ${halfstep_debian}/copyright @ONLY)
install(FILES ${halfstep_debian}/changelog.gz ${halfstep_debian}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${zsh_files} DESTINATION share/zsh/vendor-completions COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_PACKAGE_NAME halfstep)
set(CPACK_PACKAGE_VENDOR Halfstep)
set(CPACK_PACKAGE_CONTACT ${HALFSTEP_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "post-training quantizer for ONNX models")
set(CPACK_PACKAGE_DESCRIPTION "Tools that quantize ONNX models to 8-bit and 16-bit integers after
training, compute bit for bit what integer hardware makes of them, and fail
a job when that costs too much accuracy; and the library behind them, with
its headers and CMake package.")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                                WORLD_READ WORLD_EXECUTE)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # CPack would build the tests, too.

if(HALFSTEP_STATIC_LIBRARIES)
  set(CPACK_GENERATOR TGZ)
  string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" halfstep_system)
  set(CPACK_PACKAGE_FILE_NAME halfstep-${PROJECT_VERSION}-${halfstep_system})
  set(halfstep_components tools manual zsh licences)
else()
  set(CPACK_GENERATOR DEB)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake, libonnx-dev, libpng-dev, libprotobuf-dev")  # To link the library.
  set(halfstep_components tools development manual debian)
endif()
set(CPACK_INSTALL_CMAKE_PROJECTS "")
foreach(component ${halfstep_components})
  list(APPEND CPACK_INSTALL_CMAKE_PROJECTS ${PROJECT_BINARY_DIR} halfstep ${component} /)
endforeach()
include(CPack)
