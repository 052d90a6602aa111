/* SPDX-License-Identifier: BSD-2-Clause */
/* What this build of the library runs on: the host. */
#include "sim/sim.h"

const struct sim_ops *const sim_native_ops = &sim_real_ops;
