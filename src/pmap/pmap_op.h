/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_OP_H
#define PMAP_PMAP_OP_H

/*
 * At the end of pmap_var.h, which defines struct machine.
 *
 * The checker after every operation: see pmap_op.c.  Each function of pmap.h that
 * takes a lock begins with PMAP_OPERATION(), and so ends wherever it returns.
 * Nothing in builds without PMAPSIM_INVARIANTS.
 */

struct pmap_op {
	struct machine *po_ma;
	const char *po_name;
};

void pmap_op_enter(struct machine *ma);
/* name NULL: without the checker. */
void pmap_op_leave(struct machine *ma, const char *name);

static inline struct pmap_op
pmap_op_begin(struct machine *ma, const char *name)
{
	if (INVARIANTS_ENABLED && __predict_false(ma->ma_check_ops))
		pmap_op_enter(ma);
	return ((struct pmap_op){ ma, name });
}

static inline void
pmap_op_end(const struct pmap_op *po)
{
	if (INVARIANTS_ENABLED && __predict_false(po->po_ma->ma_check_ops))
		pmap_op_leave(po->po_ma, po->po_name);
}

#define PMAP_OPERATION(ma)                                                     \
	__attribute__((                                                        \
	    cleanup(pmap_op_end), unused)) struct pmap_op pmap_operation =     \
	    pmap_op_begin((ma), __func__)

#endif /* PMAP_PMAP_OP_H */
