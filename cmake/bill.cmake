# octet_bill(OUTPUT TRACED): writes OUTPUT, a C++ source with the list of all that the executable TRACED
# contains, from its linker map and packaging/third_party.json. The list is the same for a second
# executable of the same objects, which may contain it.
function(octet_bill output traced)
  set(map ${CMAKE_CURRENT_BINARY_DIR}/${traced}.map)
  target_link_options(${traced} PRIVATE -Wl,-Map=${map})
  set(options ${flags})
  list(FILTER options EXCLUDE REGEX "file-prefix-map")  # names a folder of this machine
  list(JOIN options " " options)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
  set(cuda "")
  set(architectures "")
  if(OCTET_CUDA)
    set(cuda ${CMAKE_CUDA_COMPILER_VERSION})
    set(architectures "$<JOIN:$<TARGET_PROPERTY:octet_backend_cuda,CUDA_ARCHITECTURES>, >")
  endif()
  set(declared ${CMAKE_SOURCE_DIR}/packaging/third_party.json)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DMAP=${map} -DDECLARED=${declared} -DSOURCE=${CMAKE_SOURCE_DIR}
            -DOUTPUT=${output} -DTYPE=${CMAKE_BUILD_TYPE}
            "-DFLAGS=${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}} ${options}"
            "-DCUDA=${cuda}" "-DARCHITECTURES=${architectures}"
            -P ${CMAKE_SOURCE_DIR}/cmake/write_bill.cmake
    DEPENDS ${traced} ${declared} ${CMAKE_SOURCE_DIR}/cmake/write_bill.cmake
            ${CMAKE_SOURCE_DIR}/src/text/clip_merges.txt
    COMMENT "What the program contains" VERBATIM)
endfunction()
