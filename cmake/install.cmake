# What `make install`, the release archive and the Debian package put on a machine. Man pages and
# completions come from the program's own help and are made by the target octet_manual.
include(GNUInstallDirs)
find_package(Python3 COMPONENTS Interpreter)
set(manual ${CMAKE_BINARY_DIR}/manual)
if(TARGET octet AND Python3_FOUND)
  add_custom_command(OUTPUT ${manual}.stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/packaging/manual.py $<TARGET_FILE:octet> ${manual}
    COMMAND ${CMAKE_COMMAND} -E touch ${manual}.stamp
    DEPENDS octet ${CMAKE_SOURCE_DIR}/packaging/manual.py
    COMMENT "Man pages and completions" VERBATIM)
  add_custom_target(octet_manual DEPENDS ${manual}.stamp)
endif()

install(TARGETS octet RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE README.md THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES models/emoji/README.md models/emoji/LICENSE-data
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/models/emoji)
install(DIRECTORY ${manual}/ DESTINATION ${CMAKE_INSTALL_DATADIR})
# The unit names the program where it is installed.
install(CODE "
  file(READ ${CMAKE_SOURCE_DIR}/packaging/systemd/octet.service unit)
  string(REPLACE /usr/bin/octet \"\${CMAKE_INSTALL_PREFIX}/bin/octet\" unit \"\${unit}\")
  file(WRITE ${CMAKE_BINARY_DIR}/octet.service \"\${unit}\")")
install(FILES ${CMAKE_BINARY_DIR}/octet.service DESTINATION lib/systemd/system)
install(FILES packaging/systemd/octet.sysusers DESTINATION lib/sysusers.d RENAME octet.conf)
