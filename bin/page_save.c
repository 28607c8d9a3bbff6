/*
 * page_save.c: report.html as a file.
 */
#include "page.h"

#include <errno.h>
#include <string.h>

int page_save(const struct cli *c, const char *path, const struct page_run *runs, int n)
{
	char temporary[RUNDIR_PATH + 8];
	FILE *out;
	int failed;

	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	out = fopen(temporary, "w");
	if (!out)
		return cli_fail(c, CLI_RUNTIME, "%s: %s", temporary, strerror(errno));
	failed = page_write(out, runs, n);
	failed = ferror(out) || failed;
	if (fclose(out) || failed || rename(temporary, path)) {
		remove(temporary);
		return cli_fail(c, CLI_RUNTIME, "%s: cannot be written", path);
	}
	return -1;
}

int page_save_run(const struct cli *c, const char *dir, const struct dataset *d,
	const struct network *network, cg_array *images)
{
	struct page_run p = { .gallery = { 0 } };
	char path[RUNDIR_PATH];
	int status = run_read(&p.run, c, dir);

	if (status < 0 && d && gallery_choose(&p.gallery, &p.run, d))
		status = cli_fail(c, CLI_RUNTIME, "out of memory");
	if (status < 0 && d && network)
		status = gallery_explain(&p.gallery, c, &p.run, network, images);
	if (status < 0)
		status = page_save(c, rundir_path(path, dir, "report.html"), &p, 1);
	gallery_free(&p.gallery);
	run_free(&p.run);
	return status;
}
