# Reading apps/NAME/recipe: sourced after common.sh.
# shellcheck shell=bash disable=SC2034

recipe_get() { sed -n "s/^$1: *//p" "$recipe" | tr '\n' ' ' | sed 's/ *$//'; }

# recipe_load NAME: sets recipe, app_dir and app_KEY for each key.
recipe_load() {
	app_dir=$top/apps/$1
	recipe=$app_dir/recipe
	[ -e "$recipe" ] ||
		die "no app '$1': there is no $recipe; ./osv apps lists what there is"
	local key
	for key in about packages files cc run port memory image talk; do
		printf -v "app_$key" '%s' "$(recipe_get "$key")"
	done
	: "${app_memory:=64}" "${app_image:=cpio}"
}
