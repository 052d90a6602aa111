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
pmapsim_test_program(test_virt_fiber_ucontext pmapsim::pmapsim
  test_virt_fiber.c ${virtual_dir}/fiber.c)
target_compile_definitions(test_virt_fiber_ucontext PRIVATE
  PMAPSIM_FIBER_UCONTEXT FIBER_FORM="ucontext")
target_link_libraries(test_virt_fiber_ucontext PRIVATE m)
pmapsim_test_command(unit.virt_fiber_ucontext
  $<TARGET_FILE:test_virt_fiber_ucontext>)

# A test that runs in worlds.
function(pmapsim_test_virtual unit)
  pmapsim_test(${unit} LIBRARY pmapsim_virtual ${ARGN})
endfunction()

# pmapsim_test_model(<target> <source>...): objects of a test, as the model is
# compiled.
function(pmapsim_test_model target)
  add_library(${target} OBJECT ${ARGN})
  pmapsim_flags(${target})
  target_compile_definitions(${target} PRIVATE
    PMAPSIM_VIRTUAL PMAPSIM_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE ${PMAPSIM_VIRTUAL_FLAGS})
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
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

# Programs to be explored.
pmapsim_test_model(explore_bodies explore_bodies.c)
pmapsim_test_virtual(virt_explore TIMEOUT 60 SOURCES
  $<TARGET_OBJECTS:explore_bodies>)

pmapsim_test_virtual(virt_line)
pmapsim_test_virtual(virt_rcu)
pmapsim_test_virtual(virt_sim)
pmapsim_test_virtual(virt_cost)
pmapsim_test_virtual(virt_stuck)
pmapsim_test_virtual(virt_early)
pmapsim_test_virtual(virt_watch)
pmapsim_test_virtual(virt_watch_exact SOURCES watch_scene.c)
pmapsim_test_virtual(virt_watch_rounds SOURCES watch_scene.c)
pmapsim_test_virtual(virt_world)

pmapsim_test_command(unit.virt_symbols TIMEOUT 60
  sh ${CMAKE_CURRENT_SOURCE_DIR}/test_virt_symbols.sh
  ${CMAKE_NM} $<TARGET_FILE:pmapsim_virtual>
  ${PROJECT_BINARY_DIR}/src
  $<TARGET_OBJECTS:pmapsim_virtual_model>
  $<TARGET_OBJECTS:virt_entry_instrumented>)

# Tests that were written for threads, and make them by sim_ops only, as
# <test>.virtual: their sources are instrumented as well, and all of it runs in one
# world.
function(pmapsim_test_in_world test)
  pmapsim_program_of(${test} program)
  get_target_property(sources ${program} SOURCES)
  set(in_world ${program}_in_world)
  pmapsim_test_model(${in_world}_model ${sources})
  target_compile_definitions(${in_world}_model PRIVATE
    main=test_main sched_yield=test_yield sim_real_ops=sim_virtual_ops)
  target_compile_options(${in_world}_model PRIVATE -Wno-missing-prototypes)
  pmapsim_test_program(${in_world} pmapsim_virtual
    virtual_main.c $<TARGET_OBJECTS:${in_world}_model>)
  pmapsim_test_like(${test} virtual ${in_world})
endfunction()

foreach(test IN ITEMS unit.di unit.kmem unit.mtx unit.poudriere unit.rw_spin unit.sx
    unit.tlb unit.turnstile unit.vm_wait unit.xs)
  pmapsim_test_in_world(${test})
endforeach()

# What ThreadSanitizer reports, the virtual machine shows: one program, there and
# here.
pmapsim_test_model(shared_count_model test_shared_count.c)
pmapsim_test_program(test_shared_count_virtual pmapsim_virtual
  count_virtual.c $<TARGET_OBJECTS:shared_count_model>)
pmapsim_test_like(unit.shared_count virtual test_shared_count_virtual)

# The same, whatever the host does to addresses.
function(pmapsim_test_twice name)
  pmapsim_test_command(unit.twice_${name} TIMEOUT 240
    sh ${CMAKE_CURRENT_SOURCE_DIR}/test_virt_twice.sh ${ARGN})
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
