# What `make install`, the release archive and the Debian package put on a machine.
include(GNUInstallDirs)
install(TARGETS octet RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE README.md THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES models/emoji/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/models/emoji)
install(FILES models/emoji/LICENSE-data DESTINATION ${CMAKE_INSTALL_DOCDIR}/models/emoji)
