# halfstep_install.cmake: the installed library, its CMake package, the tools, their recipes, manuals and completions.
#
# Components: tools; development, which tools linked from archives do not come with, since it would need the archives;
# manual; licences; zsh and debian (halfstep_package.cmake), of which a package takes one.
include(CMakePackageConfigHelpers)

if(NOT HALFSTEP_STATIC_LIBRARIES)
  install(TARGETS halfstep EXPORT halfstep_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  install(DIRECTORY include/halfstep DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
          FILES_MATCHING PATTERN "*.hpp")
  install(EXPORT halfstep_targets NAMESPACE halfstep:: FILE halfstep-targets.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/halfstep COMPONENT development)
  configure_package_config_file(cmake/halfstep-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/halfstep-config.cmake
                                INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/halfstep)
  write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/halfstep-config-version.cmake
                                   COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/halfstep-config.cmake
                ${CMAKE_CURRENT_BINARY_DIR}/halfstep-config-version.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/halfstep COMPONENT development)
endif()
install(TARGETS ${HALFSTEP_TOOLS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
# Not CMAKE_INSTALL_DATADIR: the tools look in ../share.
install(DIRECTORY configs DESTINATION share/halfstep COMPONENT tools FILES_MATCHING PATTERN "*.json")

set(share ${PROJECT_BINARY_DIR}/share)
list(TRANSFORM HALFSTEP_TOOLS REPLACE "(.+)" "${share}/man/man1/\\1.1.gz" OUTPUT_VARIABLE pages)
list(TRANSFORM HALFSTEP_TOOLS PREPEND ${share}/bash-completion/completions/ OUTPUT_VARIABLE bash_files)
list(TRANSFORM HALFSTEP_TOOLS PREPEND ${share}/zsh/site-functions/_ OUTPUT_VARIABLE zsh_files)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT manual)
install(FILES ${bash_files} DESTINATION share/bash-completion/completions COMPONENT manual)
install(FILES ${zsh_files} DESTINATION share/zsh/site-functions COMPONENT zsh)
install(FILES README.md CHANGELOG.md NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT manual)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT manual FILES_MATCHING PATTERN "*.md"
        PATTERN "*.yml")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT licences)
if(HALFSTEP_STATIC_LIBRARIES)
  foreach(package ${HALFSTEP_LINKED_PACKAGES})
    install(FILES /usr/share/doc/${package}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}/licences
            RENAME ${package} COMPONENT licences)
  endforeach()
endif()
