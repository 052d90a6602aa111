/* SPDX-License-Identifier: BSD-2-Clause */
/* pmapsim-virtual: a world of its own for each experiment. */
#include "sim/virtual/virt.h"
#include "valid.h"

int
valid_world(const struct preset *p, unsigned ncpus, uint64_t seed,
    void (*fn)(void *arg), void *arg)
{
	const struct virt_config vc = {
		.vc_preset = p,
		.vc_ncpus = ncpus,
		.vc_seed = seed,
	};
	int error = virt_begin(&vc);

	if (error != 0)
		return (error);
	fn(arg);
	virt_end();
	return (0);
}
