/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PRESETS_H
#define BENCH_PRESETS_H

/* Presets for commands: preset_open() and preset_set(), and what went wrong. */

#include "sim/virtual/preset.h"

/* Whose numbers a host has that no option names. */
#define PRESETS_DEFAULT "clx-2s-104"

/*
 * The bundled preset of this name, or one from the file of this path.  Returns
 * 0, or an exit status, having said why.
 */
int presets_open(const char *name, struct preset *p);

/*
 * Apply "key=value[,key=value]...", NULL for none, and check the whole.  option:
 * what the user wrote it behind, as in "--set".  Returns as above.
 */
int presets_set(struct preset *p, const char *option, const char *text);

#endif /* BENCH_PRESETS_H */
