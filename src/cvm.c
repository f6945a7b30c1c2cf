/*
 * cvm.c: what happens when the library is loaded.
 */
#include "compat.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "recompute/recompute.h"
#include "worker/launcher.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	cvm_recompute_init();
	cvm_worker_init();
	MarkGUCPrefixReserved("cvm");	/* a misspelt setting is an error, not a silent placeholder */
}
