/*
 * amount.c: exact decimal amounts from the numbers a feed may have.
 *
 * Ten million of them pass through a recompute, so numerics are read from their
 * stored digits (format of src/backend/utils/adt/numeric.c: base 10000 digits
 * behind a short or long header, unchanged since 9.1) rather than through text;
 * a test compares the two.
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#define MAX_MANTISSA INT64CONST(1000000000000000000)	/* 10^18 */

static const int64 powers_of_ten[CVM_MAX_SCALE + 1] = {
	INT64CONST(1), INT64CONST(10), INT64CONST(100), INT64CONST(1000), INT64CONST(10000),
	INT64CONST(100000), INT64CONST(1000000), INT64CONST(10000000), INT64CONST(100000000),
	INT64CONST(1000000000), INT64CONST(10000000000), INT64CONST(100000000000),
	INT64CONST(1000000000000), INT64CONST(10000000000000), INT64CONST(100000000000000),
	INT64CONST(1000000000000000), INT64CONST(10000000000000000), INT64CONST(100000000000000000),
	INT64CONST(1000000000000000000)
};

static void
refuse_amount(const char *text, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("amount %s %s", text, why),
			 errhint("Round amounts to at most 18 significant digits and 18 decimals.")));
}

static void
refuse_not_finite(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("amount is %s", text),
			 errdetail("An amount must be a finite number.")));
}

/* Takes trailing zeros off the decimals. */
static CvmAmount
trimmed(int64 mantissa, int scale)
{
	CvmAmount	amount;

	if (mantissa == 0)
		scale = 0;
	while (scale > 0 && mantissa % 10 == 0)
	{
		mantissa /= 10;
		scale--;
	}
	amount.mantissa = mantissa;
	amount.scale = scale;
	return amount;
}

/* Up to four digits of base 10000, that is nearly all amounts, fit a word. */
static CvmAmount
from_few_digits(const char *data, int n_digits, int exponent, bool negative)
{
	int64		mantissa = 0;

	for (int i = 0; i < n_digits; i++)
	{
		int16		digit;

		memcpy(&digit, data + i * sizeof(int16), sizeof(int16));
		mantissa = mantissa * 10000 + digit;
	}
	return trimmed(negative ? -mantissa : mantissa, -4 * exponent);
}

static char *
numeric_text(Datum value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, value));
}

CvmAmount
cvm_amount_from_numeric(Datum value)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	const char *data = VARDATA_ANY(packed);
	int			size = VARSIZE_ANY_EXHDR(packed);
	uint16		header;
	int			weight;
	bool		negative;
	int			n_digits;
	int128		mantissa = 0;
	int			exponent;		/* of 10000, of the last digit */

	memcpy(&header, data, sizeof(uint16));
	if ((header & 0xC000) == 0xC000)
		refuse_not_finite(numeric_text(value));
	if ((header & 0xC000) == 0x8000)
	{
		negative = (header & 0x2000) != 0;
		weight = (header & 0x0040) ? (int) (header & 0x3F) - 64 : (int) (header & 0x3F);
		data += sizeof(uint16);
		n_digits = (size - (int) sizeof(uint16)) / (int) sizeof(int16);
	}
	else
	{
		int16		long_weight;

		negative = (header & 0xC000) == 0x4000;
		memcpy(&long_weight, data + sizeof(uint16), sizeof(int16));
		weight = long_weight;
		data += 2 * sizeof(uint16);
		n_digits = (size - 2 * (int) sizeof(uint16)) / (int) sizeof(int16);
	}
	if (n_digits == 0)
		return (CvmAmount) {0, 0};
	exponent = weight - (n_digits - 1);
	if (n_digits > 6 || weight > 4 || exponent < -5)
		refuse_amount(numeric_text(value), "has too many digits");
	if (n_digits <= 4 && exponent <= 0 && exponent >= -4)
		return from_few_digits(data, n_digits, exponent, negative);
	for (int i = 0; i < n_digits; i++)
	{
		int16		digit;

		memcpy(&digit, data + i * sizeof(int16), sizeof(int16));
		mantissa = mantissa * 10000 + digit;
	}
	for (; exponent > 0; exponent--)
		mantissa *= 10000;
	exponent *= -4;
	while (exponent > 0 && mantissa % 10 == 0)
	{
		mantissa /= 10;
		exponent--;
	}
	if (mantissa >= MAX_MANTISSA || exponent > CVM_MAX_SCALE)
		refuse_amount(numeric_text(value), "has too many digits");
	return (CvmAmount) {negative ? -(int64) mantissa : (int64) mantissa, exponent};
}

/* Parses the 15 significant digits that the cast to numeric would take. */
static CvmAmount
float8_by_text(double value)
{
	char		text[40];
	int			exponent;
	int64		mantissa = 0;
	int			scale;
	char	   *p = text;

	snprintf(text, sizeof(text), "%.14e", value);
	exponent = atoi(strchr(text, 'e') + 1);
	for (; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			mantissa = mantissa * 10 + (*p - '0');
	scale = 14 - exponent;
	for (; scale < 0 && mantissa < MAX_MANTISSA / 10; scale++)
		mantissa *= 10;
	if (scale < 0)
		refuse_amount(text, "is too large");
	while (scale > CVM_MAX_SCALE && mantissa != 0)
	{
		mantissa = scale == CVM_MAX_SCALE + 1 ? (mantissa + 5) / 10 : mantissa / 10;
		scale--;
	}
	return trimmed(value < 0 ? -mantissa : mantissa, Min(scale, CVM_MAX_SCALE));
}

/*
 * A float is taken as its 15-digit decimal.  Most are money of few decimals: if
 * m / 10^k with |m| < 10^15 is the float itself, that is the decimal.
 */
CvmAmount
cvm_amount_from_float8(double value)
{
	if (!isfinite(value))
		refuse_not_finite(isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
	for (int scale = 0; scale <= 4; scale += 2)
	{
		double		scaled = rint(value * powers_of_ten[scale]);

		if (fabs(scaled) < 1e15 && scaled / powers_of_ten[scale] == value)
			return trimmed((int64) scaled, scale);
	}
	return float8_by_text(value);
}

CvmAmount
cvm_amount_from_int8(int64 value)
{
	if (value <= -MAX_MANTISSA || value >= MAX_MANTISSA)
		refuse_amount(psprintf(INT64_FORMAT, value), "has too many digits");
	return (CvmAmount) {value, 0};
}

/* "NaN" or "infinite", or NULL for a number */
const char *
cvm_amount_not_finite(Datum value, Oid type)
{
	double		number;

	switch (type)
	{
		case NUMERICOID:
			if (numeric_is_nan(DatumGetNumeric(value)))
				return "NaN";
			return numeric_is_inf(DatumGetNumeric(value)) ? "infinite" : NULL;
		case FLOAT8OID:
			number = DatumGetFloat8(value);
			break;
		case FLOAT4OID:
			number = DatumGetFloat4(value);
			break;
		default:
			return NULL;
	}
	return isfinite(number) ? NULL : isnan(number) ? "NaN" : "infinite";
}

CvmAmount
cvm_amount_from_datum(Datum value, Oid type)
{
	switch (type)
	{
		case NUMERICOID:
			return cvm_amount_from_numeric(value);
		case FLOAT8OID:
			return cvm_amount_from_float8(DatumGetFloat8(value));
		case FLOAT4OID:
			/* the shortest decimal of the float4, not of its float8 image */
			return cvm_amount_from_float8(DatumGetFloat8(DirectFunctionCall1(float8in,
														 DirectFunctionCall1(float4out, value))));
		case INT2OID:
			return cvm_amount_from_int8(DatumGetInt16(value));
		case INT4OID:
			return cvm_amount_from_int8(DatumGetInt32(value));
		case INT8OID:
			return cvm_amount_from_int8(DatumGetInt64(value));
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("amounts of type %s are not supported", format_type_be(type)),
					 errhint("Cast the amount to numeric.")));
	}
	return (CvmAmount) {0, 0};
}

/* mantissa / 10^scale as a numeric; through text, since numeric takes no int128. */
Datum
cvm_numeric_from_int128(int128 mantissa, int scale)
{
	char		text[64];
	char	   *p = text + sizeof(text) - 1;
	uint128		rest = mantissa < 0 ? -(uint128) mantissa : (uint128) mantissa;
	int			digits = 0;

	if (mantissa > -(int128) PG_INT64_MAX && mantissa < (int128) PG_INT64_MAX)
		return NumericGetDatum(scale == 0 ? int64_to_numeric((int64) mantissa)
							   : int64_div_fast_to_numeric((int64) mantissa, scale));
	*p = '\0';
	while (rest > 0 || digits <= scale)
	{
		if (digits == scale && scale > 0)
			*--p = '.';
		*--p = '0' + (int) (rest % 10);
		rest /= 10;
		digits++;
	}
	if (mantissa < 0)
		*--p = '-';
	return DirectFunctionCall3(numeric_in, CStringGetDatum(p), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}
