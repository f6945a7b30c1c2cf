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

#endif
