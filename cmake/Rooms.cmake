add_library(xrai_flags INTERFACE)
target_include_directories(xrai_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(xrai_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-restrict  # GCC 12 sees overlaps in std::string that are not there (its bug 105651)
  -ffp-contract=off $<$<CONFIG:Release>:-O3>)
if(XRAI_WERROR)
  target_compile_options(xrai_flags INTERFACE -Werror)
endif()
if(XRAI_FUZZ)
  target_compile_options(xrai_flags INTERFACE -fsanitize-coverage=trace-pc,trace-cmp)
endif()
if(XRAI_SANITIZE)
  target_compile_options(xrai_flags INTERFACE -fsanitize=${XRAI_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # The checks that sanitizers weave in hide initialisations from the compiler, inside std::regex for one.
  target_compile_options(xrai_flags INTERFACE -Wno-maybe-uninitialized)
  target_link_options(xrai_flags INTERFACE -fsanitize=${XRAI_SANITIZE})
  # A null pointer that is used ends a program anyway, and its check costs a sixth of the compiler's time.
  target_compile_options(xrai_flags INTERFACE -fno-sanitize=null)
endif()
# Function multiversioning (kernels/vectorise.h) resolves before the sanitizers' run time is up, so those builds take
# the portable path.
if(NOT XRAI_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_SYSTEM_PROCESSOR MATCHES x86_64)
  target_compile_definitions(xrai_flags INTERFACE XRAI_MULTIVERSION)
endif()

# Of code that calls and words things and leaves arithmetic to others (programs, tests), optimising takes longest and nobody would
# notice it. Such code reads no raw bytes either, so that nothing in it can lie at a wrong address. To be linked last.
add_library(xrai_quickly_compiled INTERFACE)
if(XRAI_SANITIZE)
  target_compile_options(xrai_quickly_compiled INTERFACE -O0 -fno-sanitize=alignment)
else()
  target_compile_options(xrai_quickly_compiled INTERFACE $<$<CONFIG:Release>:-O1>)
endif()

# xrai_joined(target [APART files...]): compiles its files twelve at a time, in less than half the time: mostly headers are read. There two
# files of a target may not have helpers of one name; APART are those that have.
function(xrai_joined target)
  cmake_parse_arguments(JOINED "" "" "APART" ${ARGN})
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
  set_source_files_properties(${JOINED_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  # The warning is about headers, which is what GCC takes a joined file for.
  target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
endfunction()

# xrai_room(name [QUICKLY] [APART files...] SOURCES... LINK libraries...): a room's static library, with the flags every room shares.
# It is built where a program or a test needs it. QUICKLY: compiled with little optimisation.
function(xrai_room name)
  cmake_parse_arguments(ROOM "QUICKLY" "" "APART;SOURCES;LINK" ${ARGN})
  if(NOT ROOM_SOURCES)
    file(GLOB ROOM_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${ROOM_SOURCES})
  target_link_libraries(${name} PUBLIC xrai_flags ${ROOM_LINK})
  if(ROOM_QUICKLY)
    target_link_libraries(${name} PRIVATE xrai_quickly_compiled)
  endif()
  if(XRAI_JOINED)
    xrai_joined(${name} APART ${ROOM_APART})
  endif()
endfunction()

# xrai_counted(target [THREADS]): whoever links the target leaves counts of its executed lines, where XRAI_COVERAGE asks for them. THREADS: several threads
# run the code at once; the emulation runs one kernel at a time, which makes its counters cheap.
function(xrai_counted target)
  cmake_parse_arguments(COUNTED "THREADS" "" "" ${ARGN})
  if(XRAI_COVERAGE)
    target_compile_options(${target} PRIVATE --coverage $<$<BOOL:${COUNTED_THREADS}>:-fprofile-update=atomic>)
    target_link_options(${target} INTERFACE --coverage)
  endif()
endfunction()
