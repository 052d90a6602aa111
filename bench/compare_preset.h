/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_COMPARE_PRESET_H
#define BENCH_COMPARE_PRESET_H

/* Options of compare that belong together, under a name. */

struct opt;

/* The names, for help. */
#define COMPARE_PRESETS                                                        \
	"review, poudriere-104, poudriere-nullfs-104,\n"                       \
	"buildkernel-104, fork-storm"

/* Set the options of this name in *conf.  Returns 0, or EX_USAGE, having said why. */
int compare_preset(const struct opt *opts, const char *name, void *conf);

#endif /* BENCH_COMPARE_PRESET_H */
