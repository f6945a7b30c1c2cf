/*
 * compat.h: every difference between PostgreSQL 15, 16, 17 and 18 that the
 * sources meet, and nothing else.
 */
#ifndef CVM_COMPAT_H
#define CVM_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "cvm needs PostgreSQL 15 or later"
#endif

#include "common/hashfn.h"

/* Variable-length headers moved out of postgres.h in 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* Before a declaration, from 18 on. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* common/hashfn.h has it from 16 on: finaliser of MurmurHash3 (Appleby 2011). */
#if PG_VERSION_NUM < 160000
static inline uint64
murmurhash64(uint64 data)
{
	uint64		h = data;

	h ^= h >> 33;
	h *= 0xff51afd7ed558ccd;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53;
	h ^= h >> 33;
	return h;
}
#endif

/* Index of this process's PGPROC, below MaxBackends for a backend. */
#if PG_VERSION_NUM >= 170000
#define cvm_proc_number() ((int) MyProcNumber)
#else
#define cvm_proc_number() ((int) MyProc->pgprocno)
#endif

/* Runs a portal to its end, at top level. */
#if PG_VERSION_NUM >= 180000
#define cvm_portal_run(portal, receiver) ((void) PortalRun(portal, FETCH_ALL, true, receiver, receiver, NULL))
#else
#define cvm_portal_run(portal, receiver) ((void) PortalRun(portal, FETCH_ALL, true, true, receiver, receiver, NULL))
#endif

#endif
