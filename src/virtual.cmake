# The virtual machine: the library's sources once more, for fibers in place of
# threads.  Included by CMakeLists.txt, whose list of sources is the only one.
#
# What is modelled, lock/ to workload/, is compiled with -fsanitize=thread, but not
# linked with the sanitizer: sim/virtual/tsan*.c has what the compiler calls at
# each access.  Not instrumented, so that it costs no virtual time: kern/ and sim/,
# the statistics and checkers of locks, and the runtime itself.
#
#	pmapsim_virtual	as the library is built
#	pmapsim_explore	with PMAPSIM_INVARIANTS, to look for what breaks them

# Sanitizers, and gcov, would see fibers as one stack that jumps about.
set(virtual_default ON)
if(PMAPSIM_SANITIZE OR CMAKE_C_FLAGS MATCHES "--coverage")
  set(virtual_default OFF)
endif()

include(CheckCCompilerFlag)
set(virtual_model_flags -fsanitize=thread)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  # It warns of fences that the sanitizer does not know; our runtime does.
  list(APPEND virtual_model_flags
    --param tsan-instrument-func-entry-exit=0 -Wno-tsan)
else()
  list(APPEND virtual_model_flags -mllvm -tsan-instrument-func-entry-exit=0)
endif()
# Only compiled: the sanitizer's own runtime need not be installed.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
list(JOIN virtual_model_flags " " virtual_check_flags)
check_c_compiler_flag("${virtual_check_flags}" PMAPSIM_CC_INSTRUMENTS)
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
if(NOT PMAPSIM_CC_INSTRUMENTS)
  set(virtual_default OFF)
endif()

option(PMAPSIM_VIRTUAL_MODE "Build the virtual machine" ${virtual_default})
# The cache may be older than the choice of a sanitizer.
if(PMAPSIM_VIRTUAL_MODE AND NOT virtual_default)
  message(STATUS "No virtual machine: a sanitizer, or a compiler without the flag")
  set(PMAPSIM_VIRTUAL_MODE OFF)
endif()
if(NOT PMAPSIM_VIRTUAL_MODE)
  return()
endif()

# Tests instrument code of their own.
set(PMAPSIM_VIRTUAL_FLAGS ${virtual_model_flags} CACHE INTERNAL "")

pkg_check_modules(PMAPSIM_VIRTUAL_DEPS REQUIRED IMPORTED_TARGET hwloc)

# The runtime: what replaces files of the library, and what there is besides.
set(virtual_sources
  sim/virtual/arena.c
  sim/virtual/arena_heap.c
  sim/virtual/cost.c
  sim/virtual/explore.c
  sim/virtual/explore_ops.c
  sim/virtual/explore_place.c
  sim/virtual/explore_record.c
  sim/virtual/explore_sched.c
  sim/virtual/fiber.c
  sim/virtual/kmem_virtual.c
  sim/virtual/line.c
  sim/virtual/line_share.c
  sim/virtual/line_source.c
  sim/virtual/line_topology.c
  sim/virtual/race.c
  sim/virtual/rcu_virtual.c
  sim/virtual/sim_virtual.c
  sim/virtual/stats.c
  sim/virtual/tsan.c
  sim/virtual/tsan_atomic.c
  sim/virtual/tsan_range.c
  sim/virtual/world.c
  sim/virtual/world_cpu.c
  sim/virtual/world_explore.c
  sim/virtual/world_stuck.c
  sim/virtual/world_wait.c
  sim/virtual/world_watch.c)

get_target_property(virtual_library pmapsim SOURCES)
# Sources of a header set are not listed here; loans by platform are.
#   kern/kmem_jemalloc, kva_mmap	kmem_virtual.c
#   kern/rcu			rcu_virtual.c
#   kern/cas2			a call, see cas2.h
#   sim/sim_native		sim_virtual.c
#   lock_ck_*, lock_pthread_*	real mode only: they wait as the host does
# What binds to the host or measures it, sim/pin.c and such, stays: programs tell
# of the host that they run on.
list(FILTER virtual_library EXCLUDE REGEX
  "^(kern/(kmem_jemalloc|kva_mmap|rcu|cas2)|sim/sim_native|lock/lock_(ck|pthread)_.*)[.]c$")
set(virtual_model ${virtual_library})
list(FILTER virtual_model INCLUDE REGEX "^(lock|phys|pmap|vm|workload)/")
list(FILTER virtual_model EXCLUDE REGEX
  "^(lock/(lock_profile.*|lock_hooks|witness.*)|workload/xs_run)[.]c$")
set(virtual_plain ${virtual_library})
list(REMOVE_ITEM virtual_plain ${virtual_model})

# pmapsim_virtual_library(<target> [<definition>...])
function(pmapsim_virtual_library target)
  add_library(${target}_model OBJECT EXCLUDE_FROM_ALL ${virtual_model})
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${virtual_plain} ${virtual_sources}
    $<TARGET_OBJECTS:${target}_model>)
  add_dependencies(${target} pmapsim_commit)
  foreach(part IN ITEMS ${target} ${target}_model)
    pmapsim_flags(${part})
    target_compile_definitions(${part} PRIVATE PMAPSIM_VIRTUAL ${ARGN})
    target_compile_options(${part} PRIVATE -fno-pie)
    target_include_directories(${part}
      PUBLIC ${PROJECT_SOURCE_DIR}/include
      PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_compile_features(${part} PUBLIC c_std_11)
  endforeach()
  target_compile_options(${target}_model PRIVATE ${virtual_model_flags}
    -include ${CMAKE_CURRENT_SOURCE_DIR}/sim/virtual/libc_calls.h)
  # With static data at the same addresses in each run.
  target_link_options(${target} PUBLIC -no-pie)
  target_link_libraries(${target}
    PUBLIC Threads::Threads pmapsim_preset
    PRIVATE PkgConfig::PMAPSIM_VIRTUAL_DEPS m)
endfunction()

pmapsim_virtual_library(pmapsim_virtual)
pmapsim_virtual_library(pmapsim_explore PMAPSIM_INVARIANTS)
