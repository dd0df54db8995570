# Code compiled for one instruction set must not define symbols that the linker may use for the rest
# of the program: an inline function of a shared header would come out as a weak symbol, and a
# processor without the set would then run it. Each object may define its entry points only.
#
# cmake -DNM=... -DARCHIVE=... -P check_isa_symbols.cmake
execute_process(COMMAND ${NM} --defined-only --demangle ${ARCHIVE} OUTPUT_VARIABLE text
                RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${NM} failed on ${ARCHIVE}")
endif()
string(REPLACE ";" "," text "${text}")
string(REPLACE "\n" ";" lines "${text}")
set(inside FALSE)
set(objects 0)
set(entries 0)
foreach(line IN LISTS lines)
  if(line MATCHES "^([a-z0-9_]+)\\.cc\\.o:$")
    set(name ${CMAKE_MATCH_1})
    set(inside FALSE)
    if(name MATCHES "^(generic|avx2|avx512)(bf16)?(_tile)?$")
      set(inside TRUE)
      math(EXPR objects "${objects} + 1")
    endif()
  elseif(inside AND line MATCHES "^[0-9a-f]+ ([A-Zuvw]) (.*)$")
    set(symbol "${CMAKE_MATCH_2}")
    if(CMAKE_MATCH_1 STREQUAL "T" AND
       symbol MATCHES "^octet::cpu::(generic|avx2|avx512)(bf16)?_(kernels|gemm_tile|gemm_pairs)\\(")
      math(EXPR entries "${entries} + 1")
    elseif(NOT symbol MATCHES "asan|ubsan|tsan|DW\\.ref")
      message(SEND_ERROR "${name}.cc defines ${symbol}")
    endif()
  endif()
endforeach()
if(NOT objects EQUAL 7 OR NOT entries EQUAL 8)
  message(FATAL_ERROR "expected 7 objects and 8 entry points, found ${objects} and ${entries}")
endif()
