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

# Programs to be explored, as the model is compiled.
add_library(explore_bodies OBJECT explore_bodies.c)
pmapsim_flags(explore_bodies)
target_compile_definitions(explore_bodies PRIVATE PMAPSIM_VIRTUAL)
target_compile_options(explore_bodies PRIVATE ${PMAPSIM_VIRTUAL_FLAGS})
target_include_directories(explore_bodies PRIVATE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
pmapsim_test_virtual(virt_explore TIMEOUT 60 SOURCES
  $<TARGET_OBJECTS:explore_bodies>)

pmapsim_test_virtual(virt_line)
pmapsim_test_virtual(virt_rcu)
pmapsim_test_virtual(virt_sim)
pmapsim_test_virtual(virt_stuck)
pmapsim_test_virtual(virt_watch)
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

# Tests that were written for threads, and make them by sim_ops only, as <test>.virtual: their sources are
# instrumented as well, and all of it runs in one world.
function(pmapsim_test_in_world test)
  get_test_property(${test} TIMEOUT timeout)
  get_test_property(${test} LABELS label)
  string(REGEX REPLACE "^[a-z]+\\." "" unit ${test})
  pmapsim_program_of(${label} ${unit} program)
  get_target_property(sources ${program} SOURCES)
  set(in_world ${program}_in_world)
  add_library(${in_world}_model OBJECT ${sources})
  pmapsim_flags(${in_world}_model)
  target_compile_definitions(${in_world}_model PRIVATE
    PMAPSIM_VIRTUAL PMAPSIM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    main=test_main sched_yield=test_yield sim_real_ops=sim_virtual_ops)
  target_compile_options(${in_world}_model PRIVATE
    ${PMAPSIM_VIRTUAL_FLAGS} -Wno-missing-prototypes)
  target_include_directories(${in_world}_model PRIVATE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  add_executable(${in_world}
    virtual_main.c $<TARGET_OBJECTS:${in_world}_model>)
  pmapsim_flags(${in_world})
  target_include_directories(${in_world} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${in_world} PRIVATE pmapsim_virtual PkgConfig::cmocka)
  add_test(NAME ${test}.virtual COMMAND ${in_world})
  set_tests_properties(${test}.virtual PROPERTIES
    LABELS ${label}
    TIMEOUT ${timeout}
    ENVIRONMENT "${test_environment}")
endfunction()

foreach(test IN ITEMS unit.di unit.kmem unit.mtx unit.poudriere unit.rw_spin unit.sx
    unit.tlb unit.turnstile unit.vm_wait unit.xs)
  pmapsim_test_in_world(${test})
endforeach()

# What ThreadSanitizer reports, the virtual machine shows: one program, there and
# here.
add_library(shared_count_model OBJECT test_shared_count.c)
pmapsim_flags(shared_count_model)
target_compile_definitions(shared_count_model PRIVATE PMAPSIM_VIRTUAL)
target_compile_options(shared_count_model PRIVATE ${PMAPSIM_VIRTUAL_FLAGS})
target_include_directories(shared_count_model PRIVATE
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
add_executable(test_shared_count_virtual
  count_virtual.c $<TARGET_OBJECTS:shared_count_model>)
pmapsim_flags(test_shared_count_virtual)
target_include_directories(test_shared_count_virtual PRIVATE
  ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(test_shared_count_virtual PRIVATE
  pmapsim_virtual PkgConfig::cmocka)
add_test(NAME unit.shared_count.virtual COMMAND test_shared_count_virtual)
set_tests_properties(unit.shared_count.virtual PROPERTIES
  LABELS unit
  TIMEOUT 60)

# The same, whatever the host does to addresses.
function(pmapsim_test_twice name)
  add_test(NAME unit.twice_${name}
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/test_virt_twice.sh ${ARGN})
  set_tests_properties(unit.twice_${name} PROPERTIES
    LABELS unit
    TIMEOUT 240)
endfunction()
pmapsim_test_twice(tlb - $<TARGET_FILE:test_tlb_in_world>)
if(TARGET pmapsim_virtual_cli)
  pmapsim_test_twice(compare records $<TARGET_FILE:pmapsim_virtual_cli>
    compare --virtual clx-2s-104 --cpus 24 --seconds 0.002 --repeats 2
    --designs hashed/rwlock,superpage+batch --json records)
  pmapsim_test_twice(poudriere records $<TARGET_FILE:pmapsim_virtual_cli>
    compare --virtual milan-2s-256 --workload poudriere --cpus 104
    --seconds 0.001 --repeats 1 --designs superpage --json records)
endif()
