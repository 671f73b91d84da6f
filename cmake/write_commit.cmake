# write_commit.cmake: writes the header that says which commit the sources are of, if that changed.
#
#   cmake -DSOURCE=FOLDER -DHEADER=FILE [-DCOMMIT=NAME] -P write_commit.cmake
#
# COMMIT: says so where no repository does, in an unpacked archive of sources.
if(NOT COMMIT)
  execute_process(COMMAND git --git-dir=${SOURCE}/.git --work-tree=${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
                  OUTPUT_VARIABLE COMMIT RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(failed)
    set(COMMIT unknown)
  endif()
endif()
file(CONFIGURE OUTPUT ${HEADER} @ONLY CONTENT [=[
// commit.hpp: written by cmake/write_commit.cmake.
#pragma once

namespace halfstep::cli {

inline constexpr const char* kCommit = "@COMMIT@";

}  // namespace halfstep::cli
]=])
