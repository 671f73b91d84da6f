# aarch64-linux-gnu.cmake: cross-compiles for 64-bit Arm with Debian's compiler, against the packages that
# tools/dev/cross_arm64.sh unpacks in build/arm64-root. Nothing of the machine's own libraries is looked at.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(halfstep_root ${CMAKE_CURRENT_LIST_DIR}/../build/arm64-root)
cmake_path(NORMAL_PATH halfstep_root)
# Or it tells which calls GCC 9 would have made otherwise. What libjpeg's header includes lies in the folder of the
# architecture.
set(CMAKE_CXX_FLAGS_INIT "-Wno-psabi -isystem ${halfstep_root}/usr/include/aarch64-linux-gnu")
set(CMAKE_FIND_ROOT_PATH ${halfstep_root})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # protoc and the emulator run here.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Shared libraries need others, which the linker looks for there, and so do programs when they start.
set(halfstep_library_folders ${halfstep_root}/usr/lib/aarch64-linux-gnu ${halfstep_root}/lib/aarch64-linux-gnu)
list(JOIN halfstep_library_folders : halfstep_library_path)
list(TRANSFORM halfstep_library_folders PREPEND -Wl,-rpath-link,)
list(JOIN halfstep_library_folders " " CMAKE_EXE_LINKER_FLAGS_INIT)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=${halfstep_library_path})
