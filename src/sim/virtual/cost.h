/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_COST_H
#define SIM_VIRTUAL_COST_H

#include <stdint.h>

#include "sim/sim.h"

/*
 * so_charge: n of what, or of SIM_IPI_TARGET the CPU n, pass for the fiber that runs
 * as its CPU's time of computing.  Exploring, only SIM_COMPUTE_NS counts.
 */
void cost_charge(struct sim *sim, enum sim_cost what, uint64_t n);

#endif /* SIM_VIRTUAL_COST_H */
