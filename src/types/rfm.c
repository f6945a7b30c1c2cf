/*
 * rfm.c: SQL type cvm.rfm, an RFM cell such as 5-4-3: three scores of 1 to 5 in one
 * word, recency in the highest byte, so that cells order as numbers do.
 */
#include "compat.h"

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"

#define RFM_VERSION 1
#define LOWEST 1
#define HIGHEST 5

static uint32
make(int recency, int frequency, int monetary)
{
	if (recency < LOWEST || recency > HIGHEST || frequency < LOWEST || frequency > HIGHEST ||
		monetary < LOWEST || monetary > HIGHEST)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("RFM scores %d, %d, %d are out of range", recency, frequency, monetary),
				 errdetail("Each score is %d to %d.", LOWEST, HIGHEST)));
	return (uint32) recency << 16 | (uint32) frequency << 8 | (uint32) monetary;
}

static int
recency(uint32 cell)
{
	return cell >> 16 & 0xFF;
}

static int
frequency(uint32 cell)
{
	return cell >> 8 & 0xFF;
}

static int
monetary(uint32 cell)
{
	return cell & 0xFF;
}

PG_FUNCTION_INFO_V1(cvm_rfm_in);
Datum
cvm_rfm_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);

	if (strlen(text) != 5 || text[1] != '-' || text[3] != '-' ||
		text[0] < '1' || text[0] > '5' || text[2] < '1' || text[2] > '5' || text[4] < '1' || text[4] > '5')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type rfm: \"%s\"", text),
				 errhint("An RFM cell is three scores of 1 to 5, such as 5-4-3.")));
	PG_RETURN_UINT32(make(text[0] - '0', text[2] - '0', text[4] - '0'));
}

PG_FUNCTION_INFO_V1(cvm_rfm_out);
Datum
cvm_rfm_out(PG_FUNCTION_ARGS)
{
	uint32		cell = PG_GETARG_UINT32(0);

	PG_RETURN_CSTRING(psprintf("%d-%d-%d", recency(cell), frequency(cell), monetary(cell)));
}

PG_FUNCTION_INFO_V1(cvm_rfm_recv);
Datum
cvm_rfm_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	int			r = pq_getmsgbyte(buffer);
	int			f = pq_getmsgbyte(buffer);
	int			m = pq_getmsgbyte(buffer);

	if (version != RFM_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of type rfm", version)));
	PG_RETURN_UINT32(make(r, f, m));
}

PG_FUNCTION_INFO_V1(cvm_rfm_send);
Datum
cvm_rfm_send(PG_FUNCTION_ARGS)
{
	uint32		cell = PG_GETARG_UINT32(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint8(&buffer, RFM_VERSION);
	pq_sendint8(&buffer, recency(cell));
	pq_sendint8(&buffer, frequency(cell));
	pq_sendint8(&buffer, monetary(cell));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_rfm_make);
Datum
cvm_rfm_make(PG_FUNCTION_ARGS)
{
	PG_RETURN_UINT32(make(PG_GETARG_INT32(0), PG_GETARG_INT32(1), PG_GETARG_INT32(2)));
}

PG_FUNCTION_INFO_V1(cvm_rfm_recency);
Datum
cvm_rfm_recency(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(recency(PG_GETARG_UINT32(0)));
}

PG_FUNCTION_INFO_V1(cvm_rfm_frequency);
Datum
cvm_rfm_frequency(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(frequency(PG_GETARG_UINT32(0)));
}

PG_FUNCTION_INFO_V1(cvm_rfm_monetary);
Datum
cvm_rfm_monetary(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(monetary(PG_GETARG_UINT32(0)));
}

PG_FUNCTION_INFO_V1(cvm_rfm_score);
/* floor(bins (rank - 1) / n) + 1 */
Datum
cvm_rfm_score(PG_FUNCTION_ARGS)
{
	int64		rank = PG_GETARG_INT64(0);
	int64		n = PG_GETARG_INT64(1);
	int32		bins = PG_GETARG_INT32(2);

	if (rank < 1 || rank > n || bins < 1)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("rank " INT64_FORMAT " of " INT64_FORMAT " in %d bins is out of range", rank, n, bins),
				 errdetail("It must be 1 <= rank <= n and bins >= 1.")));
	PG_RETURN_INT32((int32) ((int128) bins * (rank - 1) / n) + 1);
}

#define COMPARISON(name, operator) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(PG_GETARG_UINT32(0) operator PG_GETARG_UINT32(1)); \
}

COMPARISON(cvm_rfm_eq, ==)
COMPARISON(cvm_rfm_ne, !=)
COMPARISON(cvm_rfm_lt, <)
COMPARISON(cvm_rfm_le, <=)
COMPARISON(cvm_rfm_gt, >)
COMPARISON(cvm_rfm_ge, >=)

PG_FUNCTION_INFO_V1(cvm_rfm_cmp);
Datum
cvm_rfm_cmp(PG_FUNCTION_ARGS)
{
	uint32		a = PG_GETARG_UINT32(0);
	uint32		b = PG_GETARG_UINT32(1);

	PG_RETURN_INT32((a > b) - (a < b));
}

PG_FUNCTION_INFO_V1(cvm_rfm_hash);
Datum
cvm_rfm_hash(PG_FUNCTION_ARGS)
{
	return hash_uint32(PG_GETARG_UINT32(0));
}

PG_FUNCTION_INFO_V1(cvm_rfm_hash_extended);
Datum
cvm_rfm_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_uint32_extended(PG_GETARG_UINT32(0), PG_GETARG_INT64(1));
}
