# What `cmake --install` puts beside the programs (apps) and the CUDA device (runtime/cuda): models and recipes to copy
# and change, the documents, manual pages, and completion for bash and zsh. Nothing here is needed to run from the build
# tree.
include(GNUInstallDirs)
find_program(XRAI_HELP2MAN help2man)
if(NOT XRAI_HELP2MAN)
  message(STATUS "Manual pages are left out, since help2man is not installed: apt-get install help2man")
endif()

set(share ${CMAKE_BINARY_DIR}/share)
# The sanitizers' programs are not installed, and asking them would take long.
if(NOT XRAI_SANITIZE AND NOT XRAI_COVERAGE)
  set(help2man ${XRAI_HELP2MAN})
  if(NOT help2man)
    set(help2man -)
  endif()
  add_custom_command(OUTPUT ${share}/made
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/install_pages.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${share} ${help2man} ${programs}
    COMMAND ${CMAKE_COMMAND} -E touch ${share}/made
    DEPENDS ${programs} ${CMAKE_CURRENT_LIST_DIR}/install_pages.sh
    COMMENT "Completion and manual pages" VERBATIM)
  add_custom_target(xrai_pages ALL DEPENDS ${share}/made)
  install(DIRECTORY ${share}/bash-completion ${share}/zsh DESTINATION ${CMAKE_INSTALL_DATADIR})
  if(XRAI_HELP2MAN)
    install(DIRECTORY ${share}/man/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
  endif()
endif()

install(DIRECTORY models recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/xrai FILES_MATCHING PATTERN "*.toml")
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.png")
