# SPDX-License-Identifier: Apache-2.0
# Flags that every target of the data plane shares, and the two functions by which a layer declares itself.

add_library(junction_flags INTERFACE)
set_property(TARGET junction_flags PROPERTY INTERFACE_COMPILE_OPTIONS
  -Wall -Wextra -Werror -Wshadow -Wcast-align -Wimplicit-fallthrough -fno-omit-frame-pointer
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
target_include_directories(junction_flags INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/src)
if(JUNCTION_SANITIZE)
  target_compile_options(junction_flags INTERFACE "-fsanitize=${JUNCTION_SANITIZE}" -fno-sanitize-recover=all
    # UBSan's vptr check opens a pipe to probe memory, so it takes any object for broken in the tests that use up all
    # descriptors. ASan sees dead objects without it.
    -fno-sanitize=vptr)
  if(JUNCTION_SANITIZE STREQUAL "thread")
    # ThreadSanitizer does not know fences. Ours (nic/doorbell.h) order a doorbell's word against a ring's counts, never plain data, which
    # acquire and release order by themselves.
    target_compile_options(junction_flags INTERFACE -Wno-tsan)
  endif()
  target_link_options(junction_flags INTERFACE "-fsanitize=${JUNCTION_SANITIZE}")
endif()

# junction_library(<name> SOURCES <files...> [LINKS <targets...>])
function(junction_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC junction_flags ${ARG_LINKS})
endfunction()

# junction_test(<name> SOURCES <files...> [LINKS <targets...>]): one GoogleTest program; each case is a ctest with the
# program's name as its label.
function(junction_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest_main junction_flags)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120 LABELS ${name})
endfunction()
