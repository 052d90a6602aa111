# Tests of the virtual machine.  Included by CMakeLists.txt.
if(NOT TARGET pmapsim_virtual)
  return()
endif()

# Of the runtime alone: no world, and not instrumented.
set(virtual_dir ${PROJECT_SOURCE_DIR}/src/sim/virtual)
pmapsim_test(virt_arena SOURCES
  ${virtual_dir}/arena.c ${virtual_dir}/arena_heap.c)
pmapsim_test(virt_fiber SOURCES ${virtual_dir}/fiber.c)

# Both forms of a switch, whatever this machine prefers.
string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
if(processor MATCHES "^(x86_64|amd64)$")
  set(fiber_form x86-64)
elseif(processor MATCHES "^(aarch64|arm64)$")
  set(fiber_form arm64)
else()
  set(fiber_form ucontext)
endif()
target_compile_definitions(test_virt_fiber PRIVATE FIBER_FORM="${fiber_form}")
target_link_libraries(test_virt_fiber PRIVATE m)
add_executable(test_virt_fiber_ucontext
  test_virt_fiber.c ${virtual_dir}/fiber.c)
pmapsim_flags(test_virt_fiber_ucontext)
target_compile_definitions(test_virt_fiber_ucontext PRIVATE
  PMAPSIM_FIBER_UCONTEXT FIBER_FORM="ucontext")
target_include_directories(test_virt_fiber_ucontext PRIVATE
  ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(test_virt_fiber_ucontext PRIVATE
  pmapsim::pmapsim PkgConfig::cmocka m)
add_test(NAME unit.virt_fiber_ucontext COMMAND test_virt_fiber_ucontext)
set_tests_properties(unit.virt_fiber_ucontext PROPERTIES
  LABELS unit
  TIMEOUT 30)

# A test that runs in worlds: pmapsim_test(), linked with the virtual library.
function(pmapsim_test_virtual unit)
  pmapsim_test(${unit} ${ARGN})
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "SOURCES")
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  pmapsim_program_of(${arg_LABEL} ${unit} program)
  set_target_properties(${program} PROPERTIES LINK_LIBRARIES "")
  target_link_libraries(${program} PRIVATE pmapsim_virtual PkgConfig::cmocka)
endfunction()

# Every kind of access, as the model is compiled and as it stands.
foreach(how IN ITEMS plain instrumented)
  add_library(virt_entry_${how} OBJECT virt_entry_points.c)
  pmapsim_flags(virt_entry_${how})
  target_compile_definitions(virt_entry_${how} PRIVATE
    ENTRY_POINTS=entry_points_${how})
endforeach()
target_compile_options(virt_entry_instrumented PRIVATE
  ${PMAPSIM_VIRTUAL_FLAGS}
  $<$<STREQUAL:${fiber_form},x86-64>:-mcx16>)
target_compile_definitions(virt_entry_instrumented PRIVATE ENTRY_POINTS_16)
pmapsim_test_virtual(virt_entry SOURCES
  $<TARGET_OBJECTS:virt_entry_plain> $<TARGET_OBJECTS:virt_entry_instrumented>)

pmapsim_test_virtual(virt_line)
pmapsim_test_virtual(virt_sim)
pmapsim_test_virtual(virt_stuck)
pmapsim_test_virtual(virt_world)

add_test(NAME unit.virt_symbols
  COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/test_virt_symbols.sh
    ${CMAKE_NM} $<TARGET_FILE:pmapsim_virtual>
    ${PROJECT_BINARY_DIR}/src
    $<TARGET_OBJECTS:pmapsim_virtual_model>
    $<TARGET_OBJECTS:virt_entry_instrumented>
  COMMAND_EXPAND_LISTS)
set_tests_properties(unit.virt_symbols PROPERTIES
  LABELS unit
  TIMEOUT 60)
