# halfstep_install.cmake: what `cmake --install` puts where.
include(CMakePackageConfigHelpers)
