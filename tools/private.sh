# tools/private.sh: a private build and private servers, for test/run, demo/run
# and bench/run to source.
#
# Everything lives in one temporary folder that goes when the script ends.  The
# checkout is copied (it may be read-only, or another user's), built there and
# installed under a prefix of its own; servers listen on unix sockets in the
# folder only, so any number of runs can go on at once.  PostgreSQL refuses to
# run as root: then an unprivileged user does the work.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}

# A socket's path is at most 107 bytes long.
work=$(mktemp -d "${TMPDIR:-/tmp}/cvm.XXXXXX")
if [ ${#work} -gt 60 ]; then
	rmdir "$work"
	work=$(mktemp -d /tmp/cvm.XXXXXX)
fi
servers=()

# Stops and removes everything; last_word() of the script that sources this, if it has one, speaks last.
finish() {
	local status=$? name
	trap - EXIT INT TERM HUP
	for name in ${servers[@]+"${servers[@]}"}; do
		server_stop "$name"
	done
	cd /
	rm -rf "$work"
	! declare -F last_word >/dev/null || last_word || status=1
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

die() {
	echo "$1" >&2
	exit 1
}

become=()
if [ "$(id -u)" = 0 ]; then
	for user in postgres nobody; do
		id "$user" >/dev/null 2>&1 && break
	done
	become=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups)
fi

bindir=$("$pg_config" --bindir)
pg_config=$bindir/pg_config
sharedir=$("$pg_config" --sharedir)
pkglibdir=$("$pg_config" --pkglibdir)
pgxs=$("$pg_config" --pgxs)
pg_major=$("$pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
[ "$pg_major" -ge 15 ] || die "cvm needs PostgreSQL 15 or later; $pg_config is of $("$pg_config" --version)"

# Runs a command as the unprivileged user, with nothing of the caller's environment.
clean() {
	${become[@]+"${become[@]}"} env -i PATH="$bindir:/usr/local/bin:/usr/bin:/bin" HOME="$work" TMPDIR="$work/tmp" \
		LC_ALL=C TERM="${TERM:-dumb}" PG_CONFIG="$pg_config" "$@"
}

# The user's folder with a copy of the checkout, without what an earlier build left.
private_copy() {
	mkdir "$work/tree" "$work/tmp" "$work/install"
	tar -C "$root" -c --exclude=./.git --exclude=./.build --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		--exclude='./sql/cvm--*.sql' . | tar -C "$work/tree" -x --no-same-owner
	chmod -R u+rwX "$work/tree"
	[ ${#become[@]} = 0 ] || chown -R "$user" "$work"
	cd "$work"
}

private_make() {
	clean make -s -C "$work/tree" PG_CONFIG="$pg_config" with_llvm=no "$@"
}

# Compiles and installs, warnings being errors.  How a server finds what is not in its own folders:
# Debian's 15 to 17 prepend extension_destdir, 18 has a path.  Elsewhere, 15 to 17 are copied whole:
# PostgreSQL finds its folders relative to its programs.
private_install() {
	local settings
	private_make -j"$(nproc)" COPT=-Werror
	settings=$(clean postgres --describe-config | cut -f1)
	if grep -qx extension_control_path <<<"$settings"; then
		server_settings="extension_control_path = '$work/install$sharedir:\$system'"
	elif grep -qx extension_destdir <<<"$settings"; then
		server_settings="extension_destdir = '$work/install'"
	else
		copy_postgresql
		server_settings=
	fi
	private_make install DESTDIR="$work/install" >/dev/null
	[ -z "$server_settings" ] ||
		server_settings+=$'\n'"dynamic_library_path = '$work/install$pkglibdir:\$libdir'"
}

# From here on the programs are the copy's; pg_config stays, since it says where things are installed.
copy_postgresql() {
	local folder
	for folder in "$bindir" "$sharedir" "$pkglibdir" "$("$pg_config" --libdir)"; do
		[ ! -d "$work/install$folder" ] || continue
		clean mkdir -p "$work/install$folder"
		clean cp -a "$folder/." "$work/install$folder"
	done
	bindir=$work/install$bindir
}

# server_start NAME [SETTINGS]: a server of its own cluster, cvm preloaded; its socket is in $work/NAME.
server_start() {
	local name=$1 data=$work/$1/data
	clean mkdir "$work/$name"
	clean initdb -D "$data" -U postgres -A trust -E UTF8 --no-locale -N >"$work/$name/initdb.log" 2>&1 ||
		{ cat "$work/$name/initdb.log"; die "initdb failed"; }
	clean tee -a "$data/postgresql.conf" >/dev/null <<-SETTINGS
		listen_addresses = ''
		unix_socket_directories = '$work/$name'
		fsync = off
		shared_preload_libraries = 'cvm'
		$server_settings
		${2:-}
	SETTINGS
	servers+=("$name")
	clean pg_ctl -D "$data" -l "$work/$name/log" -w -s start ||
		{ cat "$work/$name/log"; die "the private server did not start"; }
}

server_stop() {
	[ ! -f "$work/$1/data/postmaster.pid" ] ||
		clean pg_ctl -D "$work/$1/data" -m fast -w -s stop ||
		clean pg_ctl -D "$work/$1/data" -m immediate -w -s stop || true
}

# sql NAME [psql's arguments]: psql on that server
sql() {
	local name=$1
	shift
	clean psql -X -q -v ON_ERROR_STOP=1 -h "$work/$name" -U postgres "$@"
}
