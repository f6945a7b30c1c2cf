/*
 * segment.c: the portfolio's editable segment rules, as one expression over a row
 * of score.
 *
 * A rule is a boolean SQL expression over the columns of score and the names that
 * customer_value gives them, evaluated like a CHECK constraint: no subqueries,
 * aggregates or other rows.  The first rule by position that is true names the
 * segment; none: 'unclassified'.
 */
#include "engine.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define MAX_RULES 10000

typedef struct Rule
{
	int32		position;
	const char *predicate;
	Relation	score;			/* while it is compiled */
	int			segment;		/* index into names */
	ExprState  *state;
} Rule;

struct SegmentRules
{
	EState	   *estate;
	ExprContext *econtext;
	Rule	   *rules;
	int			n_rules;
	Names	   *names;			/* of segments by first position, then unclassified */
	int			unclassified;	/* index of the segment of customers that no rule takes */
};

/* Columns of customer_value that score computes from, or names otherwise (sql/output.sql, create_output_views). */
static const struct
{
	const char *name,
			   *expression;
}			value_columns[] = {
	{"churn_risk", "p_no_purchase"},
	{"first_at", "cvm.first_at(history)"},
	{"last_at", "cvm.last_at(history)"},
	{"lifetime_value", "realised_value::pg_catalog.float8 OPERATOR(pg_catalog.+) residual_value"},
	{"mean_spend", "cvm.mean_spend(history)"},
	{"orders", "cvm.orders(history)"},
	{"repeat_periods", "cvm.repeat_periods(history)"},
	{"rfm_cell", "cvm.rfm(recency_score, frequency_score, monetary_score)::pg_catalog.text"}
};

/* Columns of score that a rule decides, or that are not published. */
static bool
is_inner(const char *name)
{
	static const char *const inner[] = {"run_id", "segment", "since", "changes", "purchase_weight"};

	for (int i = 0; i < lengthof(inner); i++)
		if (strcmp(name, inner[i]) == 0)
			return true;
	return false;
}

/* The names that a rule may use, for a hint: not those of what it decides. */
static char *
column_names(Relation score)
{
	TupleDesc	desc = RelationGetDescr(score);
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (!TupleDescAttr(desc, i)->attisdropped && !is_inner(name))
			appendStringInfo(&names, "%s, ", name);
	}
	for (int i = 0; i < lengthof(value_columns); i++)
		appendStringInfo(&names, "%s%s", value_columns[i].name, i < lengthof(value_columns) - 1 ? ", " : "");
	return names.data;
}

/* Adds to an error in a user's predicate which rule it is. */
static void
rule_error_context(void *arg)
{
	const Rule *rule = arg;

	errcontext("segment rule at position %d: %s", rule->position, rule->predicate);
	if (rule->score == NULL)
		return;
	/* the parser takes it for a constraint, and says so */
	switch (geterrcode())
	{
		case ERRCODE_UNDEFINED_COLUMN:
			errhint("A rule may use %s.", column_names(rule->score));
			break;
		case ERRCODE_GROUPING_ERROR:
			errmsg("a segment rule can not use aggregate functions");
			errhint("A rule looks at one customer at a time: its columns are those of customer_value.");
			break;
		case ERRCODE_WINDOWING_ERROR:
			errmsg("a segment rule can not use window functions");
			errhint("A rule looks at one customer at a time: its columns are those of customer_value.");
			break;
		case ERRCODE_FEATURE_NOT_SUPPORTED:
			errmsg("a segment rule can not use subqueries or functions that return several rows");
			errhint("A rule looks at one customer at a time: its columns are those of customer_value.");
			break;
	}
}

/* The predicate's parse tree: SELECT <predicate>, and nothing but one expression. */
static Node *
parse_predicate(const char *predicate)
{
	List	   *statements = raw_parser(psprintf("SELECT (%s\n)", predicate), RAW_PARSE_DEFAULT);
	SelectStmt *select;

	if (list_length(statements) == 1 && IsA(linitial_node(RawStmt, statements)->stmt, SelectStmt))
	{
		select = (SelectStmt *) linitial_node(RawStmt, statements)->stmt;
		if (select->op == SETOP_NONE && list_length(select->targetList) == 1 &&
			!select->fromClause && !select->whereClause && !select->groupClause &&
			!select->sortClause && !select->limitCount && !select->intoClause &&
			!select->havingClause && !select->withClause && !select->distinctClause)
			return linitial_node(ResTarget, select->targetList)->val;
	}
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("a segment rule must be one boolean expression over the columns of customer_value")));
	return NULL;
}

/* What customer_value calls a name that score has not. */
static Node *
value_column(ParseState *pstate, ColumnRef *reference, Node *found)
{
	if (found != NULL || list_length(reference->fields) != 1 || !IsA(linitial(reference->fields), String))
		return NULL;
	for (int i = 0; i < lengthof(value_columns); i++)
		if (strcmp(strVal(linitial(reference->fields)), value_columns[i].name) == 0)
			return transformExpr(pstate, parse_predicate(value_columns[i].expression), pstate->p_expr_kind);
	return NULL;
}

static ExprState *
compile(EState *estate, Rule *rule, Relation score)
{
	ErrorContextCallback callback = {error_context_stack, rule_error_context, rule};
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item;
	Node	   *expression;
	ExprState  *state;

	rule->score = score;
	error_context_stack = &callback;
	item = addRangeTableEntryForRelation(pstate, score, AccessShareLock, makeAlias("score", NIL), false, true);
	addNSItemToQuery(pstate, item, true, true, true);
	pstate->p_post_columnref_hook = value_column;
	expression = transformExpr(pstate, parse_predicate(rule->predicate), EXPR_KIND_CHECK_CONSTRAINT);
	expression = coerce_to_boolean(pstate, expression, "a segment rule");
	assign_expr_collations(pstate, expression);
	state = ExecPrepareExpr((Expr *) expression, estate);
	free_parsestate(pstate);
	error_context_stack = callback.previous;
	rule->score = NULL;
	return state;
}

static void
read_rules(SegmentRules *rules, const RecomputePlan *plan, MemoryContext context)
{
	char	   *sql = psprintf("SELECT r.position::pg_catalog.int4, r.segment::pg_catalog.text, r.predicate::pg_catalog.text"
							   " FROM %s AS r ORDER BY 1 LIMIT %d", cvm_quote(plan, "segment_rule"), MAX_RULES + 1);
	uint64		n = cvm_spi(SPI_OK_SELECT, sql, 0, NULL, NULL, NULL);
	MemoryContext old = MemoryContextSwitchTo(context);

	if (n > MAX_RULES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("portfolio \"%s\" has more than %d segment rules", plan->portfolio, MAX_RULES),
				 errhint("Rules are tried one after the other for every customer: keep those of %s few.",
						 cvm_quote(plan, "segment_rule"))));
	rules->rules = palloc0(sizeof(Rule) * (n + 1));
	rules->names = cvm_names_new(context);
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		Rule	   *rule = &rules->rules[rules->n_rules++];
		char	   *position = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 1);

		if (position == NULL || SPI_getvalue(tuple, SPI_tuptable->tupdesc, 2) == NULL ||
			SPI_getvalue(tuple, SPI_tuptable->tupdesc, 3) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a segment rule has no position, segment or predicate"),
					 errhint("Complete or delete it in %s.", cvm_quote(plan, "segment_rule"))));
		rule->position = pg_strtoint32(position);
		rule->segment = cvm_names_add(rules->names, SPI_getvalue(tuple, SPI_tuptable->tupdesc, 2));
		rule->predicate = pstrdup(SPI_getvalue(tuple, SPI_tuptable->tupdesc, 3));
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
}

/* Everything is made in CurrentMemoryContext, which must outlive the rules. */
SegmentRules *
cvm_segment_rules_load(const RecomputePlan *plan, Relation score)
{
	SegmentRules *rules = palloc0(sizeof(SegmentRules));

	rules->estate = CreateExecutorState();
	rules->econtext = GetPerTupleExprContext(rules->estate);
	read_rules(rules, plan, CurrentMemoryContext);
	for (int i = 0; i < rules->n_rules; i++)
	{
		CHECK_FOR_INTERRUPTS();
		rules->rules[i].state = compile(rules->estate, &rules->rules[i], score);
	}
	rules->unclassified = cvm_names_add(rules->names, CVM_UNCLASSIFIED);
	return rules;
}

/* Raises unless the predicate can be a rule. */
void
cvm_segment_rule_check(int position, const char *predicate, Relation score)
{
	Rule		rule = {.position = position, .predicate = predicate};
	EState	   *estate = CreateExecutorState();

	(void) compile(estate, &rule, score);
	FreeExecutorState(estate);
}

int
cvm_segment_of(SegmentRules *rules, TupleTableSlot *slot)
{
	rules->econtext->ecxt_scantuple = slot;
	ResetExprContext(rules->econtext);
	for (int i = 0; i < rules->n_rules; i++)
	{
		Rule	   *rule = &rules->rules[i];
		ErrorContextCallback callback = {error_context_stack, rule_error_context, rule};
		bool		isnull;
		Datum		result;

		CHECK_FOR_INTERRUPTS();
		error_context_stack = &callback;
		result = ExecEvalExprSwitchContext(rule->state, rules->econtext, &isnull);
		error_context_stack = callback.previous;
		if (!isnull && DatumGetBool(result))
			return rule->segment;
	}
	return rules->unclassified;
}

int
cvm_segment_count(const SegmentRules *rules)
{
	return cvm_names_count(rules->names);
}

const char *
cvm_segment_name(const SegmentRules *rules, int segment)
{
	return cvm_names_get(rules->names, segment);
}

void
cvm_segment_rules_free(SegmentRules *rules)
{
	FreeExecutorState(rules->estate);
}
