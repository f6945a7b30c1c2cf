/*
 * buckets.h: rows of feeds, brought together by customer.
 */
#ifndef CVM_RECOMPUTE_BUCKETS_H
#define CVM_RECOMPUTE_BUCKETS_H

#include "recompute/engine.h"

#define CVM_N_BUCKETS 256

/* The scale of an event that is no purchase. */
#define CVM_EVENT_FIRST 251		/* below it are scales */
#define CVM_EVENT_PRIOR 255		/* what the run before said: at = since, period = segment, mantissa = bits of the residual value */
#define CVM_EVENT_MERGED 253	/* an alias of this customer was one of the run before */
#define CVM_EVENT_FORGOTTEN 252	/* to be left out */
#define CVM_EVENT_ATTRIBUTES 251	/* period = number in Population.attributes */
#define CVM_EVENT_SUBSCRIPTION 254	/* a packed subscription (subscription.h) */

typedef struct Buckets Buckets;

/* One customer of a bucket. */
typedef struct CustomerEvents
{
	Datum		key;			/* if by value */
	const char *key_bytes;		/* else */
	Size		key_size;		/* 0 if by value */
	CvmPurchase *purchases;		/* may be reordered */
	int			n_purchases;
	const CvmPurchase *subscriptions;
	int			n_subscriptions;
	int32		attributes;		/* number in Population.attributes; 0: none */
	bool		attributes_differ;	/* he has rows of others */
	int32		prior_segment;	/* -1: none */
	TimestampTz prior_since;
	double		prior_residual;
	bool		merged;
	bool		forgotten;
} CustomerEvents;

typedef void (*CustomerReceiver) (void *context, const CustomerEvents *customer);

/* events beyond the budget go to temporary files */
extern Buckets *cvm_buckets_new(MemoryContext context, Size budget, CustomerKey *key);
/* before the first event: fills *key from the column of customers; ERROR if its type can not be hashed */
extern void cvm_buckets_set_key(Buckets *buckets, Form_pg_attribute column);
extern void cvm_buckets_add(Buckets *buckets, Datum key, const CvmPurchase *event);
/* all customers of a bucket, which is empty after it; what it makes in CurrentMemoryContext may then be reset */
extern void cvm_bucket_group(Buckets *buckets, int bucket, CustomerReceiver receive, void *context);

#endif
