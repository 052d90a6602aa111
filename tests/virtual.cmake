# Tests of the virtual machine.  Included by CMakeLists.txt.
if(NOT PMAPSIM_VIRTUAL_MODE)
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
