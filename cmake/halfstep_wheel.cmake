# halfstep_wheel.cmake: what the Python wheel holds; scikit-build-core (pyproject.toml) names the folders.
#
# Not part of another installation, though it may come from the same build.
foreach(folder SKBUILD_SCRIPTS_DIR SKBUILD_DATA_DIR)
  cmake_path(SET ${folder} NORMALIZE "${${folder}}")
endforeach()
install(TARGETS ${HALFSTEP_TOOLS} RUNTIME DESTINATION ${SKBUILD_SCRIPTS_DIR} COMPONENT wheel EXCLUDE_FROM_ALL)
set(wheel_share ${SKBUILD_DATA_DIR}/share)  # Beside the scripts' folder, where the tools look.
install(DIRECTORY configs DESTINATION ${wheel_share}/halfstep COMPONENT wheel EXCLUDE_FROM_ALL
        FILES_MATCHING PATTERN "*.json")
install(FILES ${pages} DESTINATION ${wheel_share}/man/man1 COMPONENT wheel EXCLUDE_FROM_ALL)
install(FILES ${bash_files} DESTINATION ${wheel_share}/bash-completion/completions COMPONENT wheel EXCLUDE_FROM_ALL)
install(FILES ${zsh_files} DESTINATION ${wheel_share}/zsh/site-functions COMPONENT wheel EXCLUDE_FROM_ALL)
foreach(package ${HALFSTEP_LINKED_PACKAGES})
  install(FILES /usr/share/doc/${package}/copyright DESTINATION ${wheel_share}/doc/halfstep/licences
          RENAME ${package} COMPONENT wheel EXCLUDE_FROM_ALL)
endforeach()
