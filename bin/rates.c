#include "rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static int block_at(const struct network *n, int parameter)
{
	return n->model->block(cg_array_name(cg_params_at(n->params, parameter)));
}

int rates_blocks(const struct network *n)
{
	int most = 0;

	for (int i = 0; i < cg_params_count(n->params); i++)
		if (block_at(n, i) > most)
			most = block_at(n, i);
	return most;
}

static bool is_head(const struct network *n, int parameter)
{
	const char *name = cg_array_name(cg_params_at(n->params, parameter));

	return !strncmp(name, n->model->head, strlen(n->model->head));
}

/* How many blocks are frozen: -1 none, blocks + 1 all and what is between them and the classifier. */
static int read_freeze(const struct network *n, const struct cli *c, int blocks, int *frozen)
{
	const char *text = cli_text(c, "freeze");
	bool none = !strcmp(text, "none"), backbone = !strcmp(text, "backbone");
	char *end;
	long count = strtol(text, &end, 10);

	*frozen = none ? -1 : backbone ? blocks + 1 : (int)count;
	if (none || backbone || (!*end && count >= 1 && count <= blocks))
		return -1;
	return cli_fail(c, CLI_USAGE, "--freeze: \"%s\" given, expected none, backbone or 1..%d: %s has "
			"%d %s", text, blocks, n->model->name, blocks, n->model->blocks);
}

int rates_set(const struct network *n, const struct cli *c)
{
	double head = cli_real(c, "head-lr-mult"), decay = cli_real(c, "layer-decay");
	int blocks = rates_blocks(n), frozen;
	int status = read_freeze(n, c, blocks, &frozen);

	if (head <= 0 || decay <= 0)
		return cli_fail(c, CLI_USAGE, "--%s: \"0\" given, expected a number above 0",
				head <= 0 ? "head-lr-mult" : "layer-decay");
	for (int i = 0; i < cg_params_count(n->params) && status < 0; i++) {
		int block = block_at(n, i);
		double rate;

		if (block < 0)
			block = blocks + 1;
		rate = pow(decay, blocks + 1 - block);
		if (is_head(n, i))
			rate *= head;
		else if (block <= frozen)
			rate = 0;
		if (cg_array_set_rate(cg_params_at(n->params, i), (float)rate) != CG_OK)
			status = engine_fail(c, n->ctx, n->model->name);
	}
	return status;
}
