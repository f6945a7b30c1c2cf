/*
 * quickstart_test.c: what any client sees over the ordinary protocol.
 *
 * quickstart_test README CONNINFO: makes an orders table, runs the README's
 * quickstart (the sql block that begins with CREATE EXTENSION cvm) statement by
 * statement, reads the results in text and in binary format, waits for the
 * background worker to run the job, and looks at the fields of errors.
 */
#include "tap.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>

#include <libpq-fe.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* PQftype of what every client library reads without a hand-written decoder */
enum
{
	OID_BOOL = 16, OID_INT8 = 20, OID_INT4 = 23, OID_TEXT = 25, OID_FLOAT8 = 701, OID_DATE = 1082,
	OID_TIMESTAMPTZ = 1184, OID_NUMERIC = 1700
};

static PGconn *connection;

/* ---------- running statements ---------- */

/* Whether a statement ends well; the server's words if not. */
static bool
succeeds(const char *statement)
{
	PGresult   *result = PQexec(connection, statement);
	ExecStatusType status = PQresultStatus(result);
	bool		good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;

	if (!good)
		printf("# %s", PQerrorMessage(connection));
	PQclear(result);
	return good;
}

static PGresult *
query(const char *statement, int format)
{
	return PQexecParams(connection, statement, 0, NULL, NULL, NULL, NULL, format);
}

/* The first value of a query as text, in a buffer of the last few calls. */
static const char *
value(const char *statement)
{
	static char buffers[4][4096];
	static int	turn;
	char	   *buffer = buffers[turn++ % COUNT(buffers)];
	PGresult   *result = PQexec(connection, statement);

	buffer[0] = '\0';
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		printf("# %s", PQerrorMessage(connection));
	else if (PQntuples(result) > 0)
		snprintf(buffer, sizeof(buffers[0]), "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return buffer;
}

/* ---------- the README ---------- */

static char *
read_file(const char *path)
{
	FILE	   *file = fopen(path, "r");
	size_t		room = 1 << 20,
				length;
	char	   *text = calloc(1, room);

	if (file == NULL || text == NULL)
	{
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	length = fread(text, 1, room - 1, file);
	text[length] = '\0';
	fclose(file);
	return text;
}

/* The text between the fences of the quickstart. */
static char *
quickstart(char *readme)
{
	static const char fence[] = "```sql\n";
	char	   *begin = strstr(readme, "```sql\nCREATE EXTENSION cvm;");
	char	   *end;

	if (begin == NULL || (end = strstr(begin + strlen(fence), "```")) == NULL)
		return NULL;
	*end = '\0';
	return begin + strlen(fence);
}

/* Cuts the next statement off at a semicolon outside quotes; NULL at the end. */
static char *
next_statement(char **rest)
{
	char	   *begin = *rest + strspn(*rest, " \n");
	bool		quoted = false;

	for (char *p = begin; *p != '\0'; p++)
	{
		quoted ^= *p == '\'';
		if (*p == ';' && !quoted)
		{
			*p = '\0';
			*rest = p + 1;
			return begin;
		}
	}
	return NULL;
}

/* ---------- the shop ---------- */

/*
 * 800 customers who buy as BG/NBD has it, every number a hash of theirs: with n
 * more purchases before one leaves, the last comes after a gamma(n) time (Wilson
 * & Hilferty 1931) and the others evenly before it.  The last orders are recent,
 * since the quickstart values as of now.
 */
static const char orders[] =
"CREATE FUNCTION pg_temp.u(c bigint, k integer) RETURNS float8 LANGUAGE sql"
" RETURN ((hashint8extended(c * 100 + k, 11) & 1048575)::float8 + 0.5) / 1048576;"
"CREATE TABLE public.orders (order_id bigint PRIMARY KEY, customer_id bigint, ordered_at timestamptz, total numeric(10,2));"
"INSERT INTO public.orders"
" SELECT c * 100 + k, c, now() - (age - days) * interval '1 day',"
"        round((5 + 60 * pg_temp.u(c, 91) * (0.5 + pg_temp.u(c, 40 + k)))::numeric, 2)"
" FROM (SELECT c, 1 + 700 * pg_temp.u(c, 92) AS age, -ln(pg_temp.u(c, 93)) / 30 AS rate,"
"              1 + least(floor(ln(pg_temp.u(c, 94)) / (ln(1 - pg_temp.u(c, 95)) / 3)), 30)::integer AS n,"
"              sqrt(-2 * ln(pg_temp.u(c, 96))) * cos(2 * pi() * pg_temp.u(c, 97)) AS normal"
"       FROM generate_series(1, 800) AS c) AS customer"
" CROSS JOIN LATERAL generate_series(0, n) AS k"
" CROSS JOIN LATERAL (SELECT CASE WHEN k = 0 THEN 0 WHEN k = n THEN 1 ELSE pg_temp.u(c, k) END"
"                            * n / rate * power(1 - 1 / (9 * n)::float8 + normal / (3 * sqrt(n)), 3) AS days) AS bought"
" WHERE days BETWEEN 0 AND age";

static void
test_quickstart(char *rest)
{
	static const char *const begins[] = {"CREATE EXTENSION", "SELECT cvm.create_portfolio", "CALL cvm.recompute", "SELECT * FROM", "SELECT cvm.schedule"};
	char	   *statement;
	size_t		n = 0;

	while ((statement = next_statement(&rest)) != NULL)
	{
		ok(n < COUNT(begins) && strncmp(statement, begins[n], strlen(begins[n])) == 0, "line %zu is %.40s", n + 1, statement);
		ok(succeeds(statement), "line %zu runs as printed", n + 1);
		n++;
	}
	ok(n == COUNT(begins), "the quickstart has five statements: %zu", n);
}

/* ---------- results in both formats ---------- */

static uint64_t
big_endian(const char *bytes, int length)
{
	uint64_t	result = 0;

	for (int i = 0; i < length; i++)
		result = result << 8 | (unsigned char) bytes[i];
	return result;
}

/* Whether a binary value says what its text says; numeric, date and timestamptz by their length only. */
static bool
same_value(Oid type, const char *text, const char *binary, int length)
{
	uint64_t	bits = length <= 8 ? big_endian(binary, length) : 0;
	double		number;

	switch (type)
	{
		case OID_BOOL:
			return length == 1 && bits == (text[0] == 't');
		case OID_INT4:
			return length == 4 && (int32_t) bits == atoi(text);
		case OID_INT8:
			return length == 8 && (int64_t) bits == strtoll(text, NULL, 10);
		case OID_FLOAT8:
			memcpy(&number, &bits, sizeof(number));
			return length == 8 && number == strtod(text, NULL) && isfinite(number);
		case OID_TEXT:
			return (size_t) length == strlen(text) && memcmp(text, binary, length) == 0;
		case OID_DATE:
			return length == 4;
		case OID_TIMESTAMPTZ:
			return length == 8;
		case OID_NUMERIC:
			return length >= 8 && strspn(text, "-0123456789.") == strlen(text);
		default:
			return false;
	}
}

/* Every column of a relation that BI tools read is of a plain type, and text and binary agree. */
static void
test_formats(const char *relation)
{
	char		statement[256];
	PGresult   *text,
			   *binary;
	int			wrong = 0;
	const char *column = "none";

	snprintf(statement, sizeof(statement), "SELECT * FROM cvm_shop.%s ORDER BY 1, 2 LIMIT 200", relation);
	text = query(statement, 0);
	binary = query(statement, 1);
	ok(PQresultStatus(text) == PGRES_TUPLES_OK && PQntuples(text) > 0 && PQntuples(binary) == PQntuples(text),
	   "%s has rows in both formats", relation);
	for (int c = 0; c < PQnfields(text); c++)
		for (int r = 0; r < PQntuples(text); r++)
		{
			bool		good = PQgetisnull(text, r, c) == PQgetisnull(binary, r, c) && PQftype(text, c) == PQftype(binary, c);

			if (good && !PQgetisnull(text, r, c))
				good = same_value(PQftype(text, c), PQgetvalue(text, r, c), PQgetvalue(binary, r, c), PQgetlength(binary, r, c));
			if (!good)
				column = PQfname(text, c);
			wrong += !good;
		}
	ok(wrong == 0, "%s: plain types only, text and binary agree; differing: %s", relation, column);
	PQclear(text);
	PQclear(binary);
}

/* The columns that design.md promises of a relation, by their types. */
static void
test_column(const char *relation, const char *column, Oid type)
{
	char		statement[256];
	PGresult   *result;

	snprintf(statement, sizeof(statement), "SELECT %s FROM cvm_shop.%s LIMIT 0", column, relation);
	result = query(statement, 1);
	ok(PQresultStatus(result) == PGRES_TUPLES_OK && PQftype(result, 0) == type, "%s.%s is of type %u: %u", relation, column, type,
	   PQresultStatus(result) == PGRES_TUPLES_OK ? PQftype(result, 0) : 0);
	PQclear(result);
}

static void
test_columns(void)
{
	static const struct
	{
		const char *relation,
				   *column;
		Oid			type;
	}			columns[] = {
		{"clv", "customer_id", OID_INT8},
		{"clv", "as_of", OID_TIMESTAMPTZ},
		{"clv", "method", OID_TEXT},
		{"clv", "expected_purchases", OID_FLOAT8},
		{"clv", "status", OID_TEXT},
		{"churn", "customer_id", OID_INT8},
		{"churn", "p_alive", OID_FLOAT8},
		{"churn", "churn_risk", OID_FLOAT8},
		{"churn", "is_lapsed", OID_BOOL},
		{"churn", "next_purchase_on", OID_DATE},
		{"equity", "segment", OID_TEXT},
		{"equity", "is_total", OID_BOOL},
		{"equity", "customers", OID_INT8},
		{"customer_value", "customer_id", OID_INT8},
	};

	for (size_t i = 0; i < COUNT(columns); i++)
		test_column(columns[i].relation, columns[i].column, columns[i].type);
}

/* ---------- against independent truth ---------- */

/*
 * P(alive) of BG/NBD (Fader, Hardie & Lee 2005, "Counting Your Customers the
 * Easy Way"; 2008 note): 1 / (1 + a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x))
 * for x > 0, and 1 for x = 0.
 */
static double
p_alive(const double *theta, double x, double t_x, double age)
{
	if (x == 0)
		return 1;
	return 1 / (1 + theta[2] / (theta[3] + x - 1) * pow((theta[1] + age) / (theta[1] + t_x), theta[0] + x));
}

static void
test_p_alive(void)
{
	static const char *const names[] = {"r", "alpha", "a", "b"};
	double		theta[4],
				worst = 0;
	PGresult   *result;

	for (int i = 0; i < 4; i++)
	{
		char		statement[256];

		snprintf(statement, sizeof(statement),
				 "SELECT cvm.parameters(m.model) ->> '%s' FROM cvm.fitted_model m"
				 " WHERE m.model_id = (SELECT min(model_id) FROM cvm_shop.clv)", names[i]);
		theta[i] = strtod(value(statement), NULL);
	}
	result = query("SELECT h.p_alive, cvm.repeat_periods(c.history)::float8, cvm.span(c.history), cvm.age(c.history, h.as_of)"
				   " FROM cvm_shop.churn h JOIN cvm_shop.customer c USING (customer_id)"
				   " WHERE h.p_alive IS NOT NULL", 1);
	for (int r = 0; r < PQntuples(result); r++)
	{
		double		number[4];

		for (int c = 0; c < 4; c++)
		{
			uint64_t	bits = big_endian(PQgetvalue(result, r, c), 8);

			memcpy(&number[c], &bits, sizeof(double));
		}
		worst = fmax(worst, relative_error(number[0], p_alive(theta, number[1], number[2], number[3]), 1e-300));
	}
	ok(PQntuples(result) > 100 && worst < 1e-10, "p_alive of %s customers is the closed form of the paper, off by %s",
	   PQntuples(result) > 100 ? "over 100" : "too few", worst < 1e-10 ? "less than 1e-10" : "more than 1e-10");
	PQclear(result);
}

static void
test_counts(void)
{
	const char *customers = value("SELECT count(DISTINCT customer_id) FROM public.orders");

	ok(strcmp(customers, value("SELECT count(*) FROM cvm_shop.clv")) == 0, "every customer of the orders is in clv");
	ok(strcmp(customers, value("SELECT customers FROM cvm_shop.equity WHERE is_total ORDER BY as_of DESC LIMIT 1")) == 0,
	   "and in the total of the equity");
	ok(strcmp(value("SELECT count(*) FROM cvm_shop.customer JOIN (SELECT customer_id, sum(total) FROM public.orders GROUP BY 1) o"
					" USING (customer_id) WHERE realised_value <> o.sum"), "0") == 0,
	   "realised_value is the sum of the orders");
}

/* A value of one of cvm's types makes the round through a client, in binary. */
static void
test_round_trip(const char *type, const char *source)
{
	char		statement[512];
	PGresult   *sent,
			   *back;
	const char *text;
	const char *bytes;
	int			length,
				format = 1;
	Oid			oid;

	snprintf(statement, sizeof(statement), "SELECT (%s)::text", source);
	text = value(statement);
	snprintf(statement, sizeof(statement), "SELECT (%s)", source);
	sent = query(statement, 1);
	bytes = PQgetvalue(sent, 0, 0);
	length = PQgetlength(sent, 0, 0);
	oid = PQftype(sent, 0);
	back = PQexecParams(connection, "SELECT $1::text", 1, &oid, &bytes, &length, &format, 0);
	ok(PQresultStatus(back) == PGRES_TUPLES_OK && text[0] != '\0' && strcmp(PQgetvalue(back, 0, 0), text) == 0,
	   "%s sent back in binary is the same", type);
	length--;
	PQclear(back);
	back = PQexecParams(connection, "SELECT $1::text", 1, &oid, &bytes, &length, &format, 0);
	ok(PQresultStatus(back) == PGRES_FATAL_ERROR && strcmp(PQresultErrorField(back, PG_DIAG_SQLSTATE), "XX000") != 0,
	   "%s cut short is an error", type);
	PQclear(back);
	PQclear(sent);
}

/* ---------- errors ---------- */

static void
test_error(const char *statement, const char *sqlstate, bool hinted)
{
	PGresult   *result = PQexec(connection, statement);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	ok(state != NULL && strcmp(state, sqlstate) == 0, "%s is %s: %s", statement, sqlstate, state ? state : "no error");
	if (hinted)
		ok(hint != NULL, "and says what to do: %s", hint ? hint : message ? message : "nothing");
	PQclear(result);
}

static void
test_errors(void)
{
	test_error("CALL cvm.recompute('none')", "42704", true);
	test_error("SELECT cvm.create_portfolio('shop', 'public.orders', 'customer_id', 'ordered_at', 'total')", "42710", true);
	test_error("SELECT cvm.create_portfolio('other', 'public.orders', 'customer', 'ordered_at', 'total')", "42703", true);
	test_error("SELECT cvm.create_portfolio('other', 'public.orders', 'customer_id', 'ordered_at', 'total', '{\"margn\": 1}')", "22023", true);
	test_error("SELECT cvm.create_portfolio('other', 'public.orders', 'customer_id', 'ordered_at', 'total', '{\"horizon\": \"0 days\"}')", "22023", true);
	test_error("SELECT cvm.fit('nbd/bg', 1::float8, 1::float8, 2::float8)", "22023", true);
	test_error("SELECT 'bg/nbd(r=-1,alpha=4,a=1,b=2)'::cvm.model", "22003", false);
	test_error("SELECT 'bg/nbd(r=1'::cvm.model", "22P02", false);
	test_error("SELECT 'five'::cvm.rfm", "22P02", false);
	test_error("SELECT cvm.schedule('shop', every => '-1 day')", "23514", false);
	test_error("SELECT cvm.schedule('none', every => '1 day')", "42704", false);
	ok(strcmp(value("SELECT 1"), "1") == 0, "the session goes on after errors");
}

/* ---------- the background worker ---------- */

/* Waits for what the server has to say, at most a moment. */
static void
wait_for_input(void)
{
	int			socket = PQsocket(connection);
	struct timeval moment = {0, 200000};
	fd_set		set;

	FD_ZERO(&set);
	FD_SET(socket, &set);
	select(socket + 1, &set, NULL, NULL, &moment);
	PQconsumeInput(connection);
}

/* The job of the quickstart is run by the worker, and a NOTIFY on cvm tells whoever listens. */
static void
test_worker(void)
{
	static const char finished[] = "SELECT string_agg(status, ' ') FROM cvm.job_runs WHERE job_id IS NOT NULL AND status <> 'running'";
	time_t		patience = time(NULL) + 120;
	PGnotify   *notify;
	int			notified = 0;
	const char *status = "";

	while (time(NULL) < patience && (status[0] == '\0' || notified == 0))
	{
		wait_for_input();
		while ((notify = PQnotifies(connection)) != NULL)
		{
			notified += strcmp(notify->relname, "cvm") == 0 && notify->be_pid != PQbackendPID(connection);
			PQfreemem(notify);
		}
		status = value(finished);
	}
	ok(strcmp(status, "succeeded") == 0, "the background worker has run the job: %s", status);
	ok(notified > 0, "and told the listeners of cvm");
	ok(strcmp(value("SELECT count(*) FROM cvm.jobs WHERE portfolio = 'shop'"), "1") == 0, "the job is in cvm.jobs");
	ok(strcmp(value("SELECT count(DISTINCT as_of) FROM cvm_shop.equity"), "2") == 0, "the equity of both runs is kept");
	test_counts();
}

int
main(int argc, char **argv)
{
	char	   *sql;

	if (argc != 3)
	{
		fprintf(stderr, "usage: %s README CONNINFO\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	connection = PQconnectdb(argv[2]);
	if (PQstatus(connection) != CONNECTION_OK)
	{
		printf("Bail out! %s", PQerrorMessage(connection));
		return 1;
	}
	sql = quickstart(read_file(argv[1]));
	if (!ok(sql != NULL, "the README has a quickstart"))
		return done_testing();
	ok(succeeds(orders) && succeeds("LISTEN cvm"), "an orders table");
	test_quickstart(sql);
	test_columns();
	test_formats("clv");
	test_formats("churn");
	test_formats("equity");
	test_formats("customer_value");
	test_counts();
	ok(strcmp(value("SELECT count(*) > 400 FROM cvm_shop.clv WHERE status = 'ok' AND method = 'full'"), "t") == 0, "most customers are scored by the full fit");
	test_p_alive();
	test_round_trip("purchase_history", "SELECT history FROM cvm_shop.customer ORDER BY orders DESC, customer_id LIMIT 1");
	test_round_trip("model", "SELECT model FROM cvm.fitted_model ORDER BY model_id LIMIT 1");
	test_round_trip("rfm", "SELECT '5-4-3'::cvm.rfm");
	test_errors();
	test_worker();
	PQfinish(connection);
	return done_testing();
}
