# check_symbols.cmake: fails if objects compiled for one instruction set define a
# symbol that another file may define too (weak, and not in a namespace of its own).
#   cmake -DNM=nm -DISA=avx2 -DOBJECTS=a.o|b.o -P check_symbols.cmake
string(REPLACE "|" ";" OBJECTS "${OBJECTS}")
foreach(object ${OBJECTS})
  execute_process(COMMAND ${NM} --defined-only ${object} OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+ [WVu] [^\n]+" weak "${listing}")
  foreach(symbol ${weak})
    if(NOT symbol MATCHES "DW[.]ref[.]__gxx_personality_v0")
      message(FATAL_ERROR "${object}: shared symbol compiled for ${ISA}: ${symbol}")
    endif()
  endforeach()
endforeach()
