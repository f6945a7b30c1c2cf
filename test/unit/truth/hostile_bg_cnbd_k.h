static const truth_row hostile_bg_cnbd_k[] = {
	{LOGLIK, {1, 1, 1, 1, 1}, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}
};
