/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_ENV_H
#define BENCH_ENV_H

/*
 * What a result depends on and a reader cannot see: the host, the build, and how
 * far apart two of the host's CPUs are just now.
 */

#include <stdbool.h>
#include <stdio.h>

#include "sim/pin.h"

struct env {
	struct host_info e_host;
	const char *e_version;
	const char *e_commit;
	const char *e_compiler;
	const char *e_cflags;
	bool e_invariants;
	unsigned e_cpus; /* that this process may use */
	double e_load;   /* load average of the last minute, < 0: unknown */
	/* Why a thread that waits does not lend its priority; NULL: it does. */
	const char *e_no_loans;
	/* Nanoseconds for a line to get from one CPU to another; 0: one CPU. */
	double e_pingpong_ns;
	int e_pingpong_cpu[2]; /* host CPUs, -1: not pinned */
};

/* Takes some 50 ms for the ping-pong. */
void env_get(struct env *e);

/* Lines of a report's head: version and build; host and ping-pong. */
void env_print_build(const struct env *e, FILE *out);
void env_print_host(const struct env *e, FILE *out);

/* The ping-pong in words: "one core", "one package" ... */
const char *env_pingpong_mode(const struct env *e);

#endif /* BENCH_ENV_H */
