# write_manual.cmake: writes a tool's manual page and completions, as the tool itself prints them.
#
#   cmake "-DCOMMAND=[EMULATOR;]PROGRAM" -DTOOL=NAME -DFOLDER=SHARE -P write_manual.cmake
#
# They go where they are installed below share/: man/man1, bash-completion/completions, zsh/site-functions.
set(file_man ${FOLDER}/man/man1/${TOOL}.1)
set(file_bash ${FOLDER}/bash-completion/completions/${TOOL})
set(file_zsh ${FOLDER}/zsh/site-functions/_${TOOL})
foreach(form man bash zsh)
  cmake_path(GET file_${form} PARENT_PATH parent)
  file(MAKE_DIRECTORY ${parent})
  execute_process(COMMAND ${COMMAND} --generate ${form} OUTPUT_FILE ${file_${form}} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND gzip -9nf ${file_man} COMMAND_ERROR_IS_FATAL ANY)
