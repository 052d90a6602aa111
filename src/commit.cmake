# Run at every build: writes OUT, a header with the commit of the tree SOURCE,
# and touches it only when that changes.  A release without git has no commit.
set(commit unknown)
if(EXISTS ${SOURCE}/.git)
  # A build must not fight over the index with whoever works in the tree.
  execute_process(
    COMMAND git --no-optional-locks describe --always --dirty --abbrev=12
      --exclude=*
    WORKING_DIRECTORY ${SOURCE}
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET RESULT_VARIABLE error)
  if(error STREQUAL 0)
    set(commit ${described})
  endif()
endif()
set(text "#define PMAPSIM_COMMIT \"${commit}\"\n")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUT} "${text}")
endif()
