/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * main() of a test that was written for real threads and runs on a virtual machine:
 * its own main() has become test_main().  All of it is one world, in which time
 * passes for the main thread too, since it may wait by looking again and again.
 */

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "sim/virtual/preset.h"
#include "sim/virtual/virt.h"
#include "sim/virtual/world.h"

#undef main

int test_main(void);
int test_yield(void);

/* In place of sched_yield(): others run, and time passes where there are none. */
int
test_yield(void)
{
	world_yield();
	world_spin(10);
	return (0);
}

int
main(void)
{
	static struct preset pr;
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = 64,
		.vc_seed = 1,
	};
	struct preset_error pe;
	int error;

	if (preset_open("clx-2s-104", &pr, &pe) != 0)
		errx(EX_SOFTWARE, "preset: %s", pe.pe_text);
	error = virt_begin(&vc);
	if (error != 0)
		errx(EX_OSERR, "no world: %s", strerror(error));
	world_untimed(false);
	error = test_main();
	world_untimed(true);
	/* Two runs must agree in it. */
	(void)printf("events %016jx, %ju accesses, %ju switches\n",
	    (uintmax_t)virt_event_hash(), (uintmax_t)virt_accesses(),
	    (uintmax_t)virt_switches());
	virt_end();
	return (error);
}
