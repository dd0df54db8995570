# Fuzzing with libFuzzer, for builds with OCTET_FUZZ (preset "fuzz", clang).

# Instruments everything that is added after the call, so that coverage and the sanitizers see
# into the modules.
function(octet_fuzz_instrument)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "OCTET_FUZZ needs clang: expected the preset 'fuzz', "
                        "found the compiler ${CMAKE_CXX_COMPILER_ID}")
  endif()
  # Warnings are g++'s business: clang knows others, and this build must not break over them.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -w)
  add_link_options(-fsanitize=address,undefined)
endfunction()

# octet_fuzz(NAME SOURCES ... DEPENDS modules...): one fuzzer, fuzz_NAME.
function(octet_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(fuzz_${name} PRIVATE OCTET_TEST_DATA="${CMAKE_SOURCE_DIR}/tests")
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  foreach(dependency ${ARG_DEPENDS})
    target_link_libraries(fuzz_${name} PRIVATE octet_${dependency})
  endforeach()
  add_dependencies(fuzzers fuzz_${name})
endfunction()
