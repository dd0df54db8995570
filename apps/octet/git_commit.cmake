# Writes OUTPUT, a header with the commit of the checkout in SOURCE and its time. Runs at every build and
# touches the header only when the commit has changed. A tree without its own git (a release
# archive, perhaps inside another repository) has an empty commit.
set(commit "")
set(seconds 0)
execute_process(COMMAND git -C ${SOURCE} rev-parse --show-toplevel OUTPUT_VARIABLE top
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
get_filename_component(source_path ${SOURCE} REALPATH)
if(NOT failed AND top STREQUAL source_path)
  execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND git -C ${SOURCE} log -1 --format=%ct OUTPUT_VARIABLE seconds
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND git -C ${SOURCE} diff --quiet HEAD -- src apps include cmake models
                          CMakeLists.txt RESULT_VARIABLE changed ERROR_QUIET OUTPUT_QUIET)
  if(commit AND changed)
    string(APPEND commit "+")
  endif()
endif()
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  set(seconds $ENV{SOURCE_DATE_EPOCH})
endif()
set(text "#pragma once\n\ninline constexpr const char* kCommit = \"${commit}\";
inline constexpr long kCommitSeconds = ${seconds};\n")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT EXISTS ${OUTPUT} OR NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
