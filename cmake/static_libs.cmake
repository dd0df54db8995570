# octet_library(NAME HEADER file LIBRARIES names... [LINK targets...]): an imported target
# deps::NAME for a system library. The static archive is taken when there is one, because the
# product is one binary that also runs where the library is not installed.
function(octet_library name)
  cmake_parse_arguments(ARG "" "HEADER" "LIBRARIES;LINK" ${ARGN})
  if(TARGET deps::${name})
    return()
  endif()
  set(archives ${ARG_LIBRARIES})
  list(TRANSFORM archives PREPEND lib)
  list(TRANSFORM archives APPEND .a)
  # One name at a time over all folders: an archive anywhere comes before a shared library.
  find_library(OCTET_${name}_LIBRARY NAMES ${archives} ${ARG_LIBRARIES})
  find_path(OCTET_${name}_INCLUDE NAMES ${ARG_HEADER})
  if(NOT OCTET_${name}_LIBRARY OR NOT OCTET_${name}_INCLUDE)
    message(FATAL_ERROR "${name}: expected ${ARG_HEADER} and one of: ${archives}; "
                        "run `make deps` to install the missing Debian packages")
  endif()
  add_library(deps::${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(deps::${name} PROPERTIES
    IMPORTED_LOCATION "${OCTET_${name}_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OCTET_${name}_INCLUDE}"
    INTERFACE_LINK_LIBRARIES "${ARG_LINK}")
endfunction()

octet_library(zlib HEADER zlib.h LIBRARIES z)
octet_library(png HEADER png.h LIBRARIES png16 png LINK deps::zlib m)
octet_library(jpeg HEADER jpeglib.h LIBRARIES jpeg)
octet_library(webp HEADER webp/encode.h LIBRARIES webp LINK Threads::Threads m)
octet_library(crypto HEADER openssl/crypto.h LIBRARIES crypto LINK Threads::Threads ${CMAKE_DL_LIBS})
octet_library(ssl HEADER openssl/ssl.h LIBRARIES ssl LINK deps::crypto)
