/*
 * model_type.h: SQL type cvm.model, a fitted model as a value (varlena).
 */
#ifndef CVM_TYPES_MODEL_TYPE_H
#define CVM_TYPES_MODEL_TYPE_H

#include "postgres.h"
#include "fmgr.h"
#include "models/model.h"

#define CVM_MODEL_VERSION 1

typedef struct CvmModel
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;
	uint8		n_params;
	uint8		rung;			/* cvm_rung */
	uint8		flags;			/* CVM_MODEL_HAS_* */
	char		family[16];		/* NUL-padded name, as registered */
	double		unit_seconds;	/* length of the time unit; 0 for families without time, and where opportunities are of unknown length */
	double		customers;		/* if CVM_MODEL_HAS_FIT */
	double		loglik;			/* if CVM_MODEL_HAS_FIT */
	double		number[FLEXIBLE_ARRAY_MEMBER];	/* n_params parameters, then n*n covariance if present */
} CvmModel;

#define CVM_MODEL_HAS_FIT 0x01	/* customers and loglik known */
#define CVM_MODEL_HAS_COVARIANCE 0x02

extern CvmModel *cvm_model_from_fit(const cvm_fit_result *fit, double unit_seconds);
/* what a model says of the fit it comes from; what it does not say is 0 */
extern void cvm_fit_of_model(const CvmModel *model, cvm_fit_result *fit);
extern const cvm_family *cvm_model_family(const CvmModel *model);	/* ERROR if not registered */

extern const cvm_family *cvm_family_or_error(const char *name);	/* ERROR that lists the known ones */

#define PG_GETARG_MODEL_P(n) ((CvmModel *) PG_DETOAST_DATUM(PG_GETARG_DATUM(n)))

/*
 * fit.c: env that allocates in the given memory context (NULL when out of
 * memory) and is cancelled by a pending query cancel; and the one way from a
 * table to a model, turning a cvm_status into an ERROR with its hint.
 */
extern cvm_env cvm_server_env(MemoryContext context);
extern void cvm_fit_or_error(const cvm_family *family, const cvm_table *table,
							 const cvm_env *env, cvm_fit_result *result);

/* What went wrong with a fit on so many customers, as an ERROR; nothing if it is CVM_OK. */
extern void cvm_refuse_status(cvm_status status, const cvm_family *family, double customers);

#endif
