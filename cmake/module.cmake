# octet_module(NAME SOURCES... [DEPENDS targets...]): one static library per folder of src/.
# The dependency direction is checked a second time by tools/check_includes.py, because all
# modules share the include root src/.
function(octet_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(octet_${name} STATIC ${ARG_SOURCES})
  target_include_directories(octet_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  foreach(dependency ${ARG_DEPENDS})
    if(TARGET octet_${dependency} OR dependency MATCHES "^[a-z_]+$")
      target_link_libraries(octet_${name} PUBLIC octet_${dependency})
    else()
      target_link_libraries(octet_${name} PRIVATE ${dependency})
    endif()
  endforeach()
endfunction()

# octet_test(NAME SOURCES... DEPENDS modules...): one gtest binary, registered with CTest.
function(octet_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE OCTET_TEST_DATA="${CMAKE_SOURCE_DIR}/tests")
  foreach(dependency ${ARG_DEPENDS})
    target_link_libraries(test_${name} PRIVATE octet_${dependency})
  endforeach()
  target_link_libraries(test_${name} PRIVATE GTest::gtest_main)
  add_test(NAME ${name} COMMAND test_${name})
endfunction()
