/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_LOAN_H
#define SIM_LOAN_H

/*
 * Real mode's part of struct sim_ops that lends priorities: what each does is
 * said there.  One file for a host that can, loan_linux.c, and loan_none.c for
 * the others.
 */

#include "sim/sim.h"

void loan_lend(struct thread *td, const struct thread *to);
int loan_block(struct thread *td, uint64_t deadline_ns);
void loan_return(struct thread *td);
void loan_cancel(struct thread *td);
int loan_host_pri(const struct thread *td);
uint32_t loan_tid(void);
void loan_pi_lock(_Atomic uint32_t *word, uint32_t tid);
void loan_pi_unlock(_Atomic uint32_t *word);

/* Does the host lend at all? */
bool loan_is_real(void);

#endif /* SIM_LOAN_H */
