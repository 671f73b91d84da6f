# halfstep_install.cmake: the installed library, its CMake package, the tools and their recipes.
include(CMakePackageConfigHelpers)

install(TARGETS halfstep EXPORT halfstep_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/halfstep DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(EXPORT halfstep_targets NAMESPACE halfstep:: FILE halfstep-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/halfstep)
configure_package_config_file(cmake/halfstep-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/halfstep-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/halfstep)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/halfstep-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/halfstep-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/halfstep-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/halfstep)
install(TARGETS ${HALFSTEP_TOOLS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# Not CMAKE_INSTALL_DATADIR: the tools look in ../share.
install(DIRECTORY configs DESTINATION share/halfstep FILES_MATCHING PATTERN "*.json")
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
