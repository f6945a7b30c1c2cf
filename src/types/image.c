/*
 * image.c: equality and hash of the types of which equal values are the same bytes.
 */
#include "compat.h"

#include "common/hashfn.h"
#include "fmgr.h"

static bool
same_image(struct varlena *a, struct varlena *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

PG_FUNCTION_INFO_V1(cvm_image_eq);
Datum
cvm_image_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same_image(PG_DETOAST_DATUM(PG_GETARG_DATUM(0)), PG_DETOAST_DATUM(PG_GETARG_DATUM(1))));
}

PG_FUNCTION_INFO_V1(cvm_image_ne);
Datum
cvm_image_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!same_image(PG_DETOAST_DATUM(PG_GETARG_DATUM(0)), PG_DETOAST_DATUM(PG_GETARG_DATUM(1))));
}

PG_FUNCTION_INFO_V1(cvm_image_hash);
Datum
cvm_image_hash(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));

	return hash_any((unsigned char *) VARDATA(value), VARSIZE(value) - VARHDRSZ);
}

PG_FUNCTION_INFO_V1(cvm_image_hash_extended);
Datum
cvm_image_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));

	return hash_any_extended((unsigned char *) VARDATA(value), VARSIZE(value) - VARHDRSZ, PG_GETARG_INT64(1));
}
