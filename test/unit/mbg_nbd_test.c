/*
 * mbg_nbd_test.c: MBG/NBD against published vectors and fifty-digit truth
 * (truth/hostile.py).  What holds for every family is in family_test.c.
 */
#include "truth_table.h"

#include "truth/hostile_mbg_nbd.h"
#include "truth/vectors_mbg_nbd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const cvm_family *f;

/* One coin more than BG/NBD: the same model once that is behind. */
static void
test_first_coin(void)
{
	static const double theta[] = {.243, 4.414, .793, 2.426};
	static const double behind[] = {.243, 4.414, .793, 3.426};
	const cvm_family *bg = cvm_family_find("bg/nbd");
	cvm_row		fresh = {.weight = 1};
	cvm_row		row = {.x = 3, .t_x = 12, .age = 20, .weight = 1};
	cvm_row		today = {.x = 3, .t_x = 20, .age = 20, .weight = 1};

	close_to(f->p_alive(theta, &fresh), 2.426 / 3.219, 1e-15, "a new customer has tossed one coin: b / (a + b)");
	close_to(f->p_alive(theta, &today), 5.426 / 6.219, 1e-15, "bought today: (b + x) / (a + b + x)");
	close_to(f->expected_if_alive(theta, &row, 30), bg->expected_if_alive(behind, &row, 30), 0, "alive, as BG/NBD with b + 1");
	close_to(f->expected(theta, 30), 2.426 / 3.219 * bg->expected(behind, 30), 1e-15, "new, as BG/NBD with b + 1 if the first coin falls well");
}

int
main(void)
{
	f = cvm_family_find("mbg/nbd");
	check_truths(f, "vectors", vectors_mbg_nbd, COUNT(vectors_mbg_nbd), 1e-10);
	check_truths(f, "hostile", hostile_mbg_nbd, COUNT(hostile_mbg_nbd), 1e-10);
	test_first_coin();
	return done_testing();
}
