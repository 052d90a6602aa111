/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VIRT_ENTRY_POINTS_H
#define VIRT_ENTRY_POINTS_H

/*
 * Accesses of every kind, compiled twice: as the virtual machine's sources are, and
 * as they stand.  Both compute the same.
 */

#include <stdint.h>

#define ENTRY_POINTS_BYTES 512

/* mem: zero, 64 bytes aligned.  What comes out depends on all that was read. */
uint64_t entry_points_plain(unsigned char *mem);
uint64_t entry_points_instrumented(unsigned char *mem);

/*
 * The same of 16-byte atomic operations: how many went wrong.  Only the
 * instrumented form is linked: without it a compiler may call libatomic.
 */
unsigned entry_points_16(unsigned char *mem);

#endif /* VIRT_ENTRY_POINTS_H */
