-- forget: erasing a customer from everything that was published (src/recompute/forget.c, doc/equity.md)

CREATE FUNCTION cvm.forget(portfolio text, customer text) RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'cvm_forget';
COMMENT ON FUNCTION cvm.forget(text, text) IS
'Erases a customer from a portfolio''s output: his scores of every run that is kept (option history), his memberships of segments, and errors that quote him. His key stays in the table forgotten of the output schema, and recomputes leave him out for as long as it is there, whether his rows are still in the feeds or not: those are yours to delete. Sums and models in which he was counted stay until the next recompute; the next equity_statement has his value as erased. Returns the number of rows that are gone; their space is reused after a VACUUM. 02000 where nothing of him is there, 22P02 a text that is no customer, 22004 null, 55P03 while the portfolio is being recomputed, 42704 unknown portfolio, 42501 not permitted.';
