/*
 * .h5: Keras's weights by the names of layers, as keras.applications publishes them and model.save() writes
 * them: LAYER/LAYER/kernel:0, below model_weights/ or not. Keras 3's .weights.h5 numbers what a layer has and
 * calls the layers by their kinds, layers/conv2d_7/vars/0; their own names are an attribute of the group
 * vars. Here such a weight is LAYER/vars/0.
 */
#include "weights.h"

#ifndef HAVE_LIBHDF5

int weights_read_h5(struct weights *w, const struct cli *c)
{
	return cli_fail(c, CLI_CHECKPOINT, "%s: an HDF5 file, but this was built without libhdf5",
			w->path);
}

#else

#define H5_USE_110_API	/* H5Ovisit of four arguments, whatever the version */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct visit {
	struct weights *w;
	const char *wrong;
	char name[256];
};

/* The floats of a data set; NULL with v->wrong. */
static float *read_values(struct visit *v, hid_t set, int *ndim, hsize_t size[CG_MAX_DIM])
{
	hid_t space = H5Dget_space(set);
	hssize_t n = H5Sget_simple_extent_npoints(space);
	float *value = NULL;

	*ndim = H5Sget_simple_extent_ndims(space);
	if (*ndim < 0 || *ndim > CG_MAX_DIM || n < 1 || n > INT32_MAX)
		v->wrong = "empty, too large or of too many dimensions";
	else if (H5Sget_simple_extent_dims(space, size, NULL) < 0)
		v->wrong = "damaged";
	else if ((value = malloc((size_t)n * sizeof(*value))) == NULL)
		v->wrong = "too large for the memory";
	else if (H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0)
		v->wrong = "its values cannot be read";
	H5Sclose(space);
	if (!v->wrong)
		return value;
	free(value);
	return NULL;
}

static bool is_float(hid_t set)
{
	hid_t type = H5Dget_type(set);
	bool good = H5Tget_class(type) == H5T_FLOAT;

	H5Tclose(type);
	return good;
}

/* The attribute "name" of a group, a text of any length. */
static bool read_name(hid_t group, char *name, size_t room)
{
	hid_t attribute = H5Aexists(group, "name") > 0 ? H5Aopen(group, "name", H5P_DEFAULT) : -1;
	hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
	bool good = false;
	char *text = NULL;

	if (type >= 0 && H5Tis_variable_str(type) > 0) {
		good = H5Aread(attribute, type, &text) >= 0 && text;
		if (good)
			snprintf(name, room, "%s", text);
		H5free_memory(text);
	} else if (type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tget_size(type) < room) {
		name[H5Tget_size(type)] = 0;
		good = H5Aread(attribute, type, name) >= 0;
	}
	if (type >= 0)
		H5Tclose(type);
	if (attribute >= 0)
		H5Aclose(attribute);
	return good;
}

/* "layers/KIND/vars/I" becomes "LAYER/vars/I" where the group tells the layer's name. */
static void name_layer(struct visit *v, hid_t file, const char *path)
{
	const char *vars = strstr(path, "/vars/");
	char group_path[sizeof(v->name)], layer[128];
	hid_t group;

	snprintf(v->name, sizeof(v->name), "%s", path);
	if (!vars || (size_t)snprintf(group_path, sizeof(group_path), "%.*s", (int)(vars - path) + 5,
				      path) >= sizeof(group_path))
		return;
	group = H5Gopen2(file, group_path, H5P_DEFAULT);
	if (group >= 0 && read_name(group, layer, sizeof(layer)))
		snprintf(v->name, sizeof(v->name), "%s%s", layer, vars);
	if (group >= 0)
		H5Gclose(group);
}

static bool is_optimizers(const char *path)
{
	return !strncmp(path, "optimizer_weights/", 18) || !strncmp(path, "optimizer/", 10);
}

/* Weights alone: what the optimiser keeps, and whole numbers, are left out. */
static herr_t visit(hid_t group, const char *path, const H5O_info_t *info, void *data)
{
	struct visit *v = data;
	hsize_t size[CG_MAX_DIM];
	int64_t shape[CG_MAX_DIM] = { 1 };
	float *value;
	hid_t set;
	int ndim;

	if (info->type != H5O_TYPE_DATASET || is_optimizers(path))
		return 0;
	name_layer(v, group, path);
	if (strrchr(v->name, ':'))
		*strrchr(v->name, ':') = 0;
	set = H5Dopen2(group, path, H5P_DEFAULT);
	if (set < 0 || !is_float(set)) {
		v->wrong = set < 0 ? "cannot be read" : NULL;
		return set < 0 ? -1 : H5Dclose(set);
	}
	value = read_values(v, set, &ndim, size);
	H5Dclose(set);
	for (int i = 0; value && i < ndim; i++)
		shape[i] = (int64_t)size[i];
	if (value && !weights_add(v->w, v->name, ndim ? ndim : 1, shape, value)) {
		free(value);
		v->wrong = "out of memory";
	}
	return v->wrong ? -1 : 0;
}

int weights_read_h5(struct weights *w, const struct cli *c)
{
	struct visit v = { .w = w };
	hid_t file;
	herr_t status;

	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);	/* no messages of its own */
	file = H5Fopen(w->path, H5F_ACC_RDONLY, H5P_DEFAULT);
	if (file < 0)
		return cli_fail(c, CLI_CHECKPOINT, "%s: not a whole HDF5 file", w->path);
	status = H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &v);
	H5Fclose(file);
	if (v.wrong)
		return cli_fail(c, CLI_CHECKPOINT, "%s: %s: %s", w->path, v.name, v.wrong);
	return status < 0 ? cli_fail(c, CLI_CHECKPOINT, "%s: damaged", w->path) : -1;
}

#endif
