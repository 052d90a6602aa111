/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "script_util.h"

/*
 * An input of the fuzzer as a script.  The first bytes choose flavour, version,
 * layout and lock, the rest is what happens.  design gets the design's text.
 */
void fuzz_decode(const uint8_t *bytes, size_t n, struct script_lines *sl,
    enum pmap_version *versionp, char *design, size_t size);

/*
 * Run an input with every oracle there is: invariants after each operation, the
 * model's answers, the end state, leaks.  Returns whether all went well; else the
 * script was printed to standard error.
 */
bool fuzz_one(const uint8_t *bytes, size_t n, uint64_t *opsp);

#endif /* TESTS_FUZZ_SCRIPT_H */
