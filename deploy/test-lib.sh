# What test-package.sh and test-update.sh have in common; they source it.
# shellcheck shell=bash

needs() { # PROGRAM...
	[ "$(id -u)" = 0 ] || { echo "$0: call it as root: it uses chroot" >&2; exit 1; }
	for program in "$@"; do
		command -v "$program" >/dev/null || { echo "$0: there is no $program: apt-get install $*" >&2; exit 1; }
	done
}

passed=0
# is WHAT COMMAND... runs a check and tells how it went; the first that fails ends all.
is() {
	local what=$1
	shift
	if ! "$@" >"$work/now" 2>&1; then
		echo "FAIL $what: $*"
		cat "$work/now"
		exit 1
	fi
	[ "$1" = says ] || mv "$work/now" "$work/out"
	passed=$((passed + 1))
	echo "ok   $what"
}
fails() { ! "$@"; }
says() { grep -qF -- "$1" "$work/out"; } # what the last command printed

# debian DIR makes a fresh Debian there. The first one takes the network and is kept.
debian() {
	local base=${XDG_CACHE_HOME:-$HOME/.cache}/timeclock/debian-passwd.tar
	mkdir -p "$(dirname "$base")"
	exec 9>"$base.lock" # both scripts may run at once
	flock 9
	if [ ! -f "$base" ]; then
		mmdebstrap --quiet --variant=essential --include=systemd,kmod,passwd,init-system-helpers,ca-certificates,tzdata \
			"$(. /etc/os-release && echo "$VERSION_CODENAME")" "${base%.tar}-part.tar"
		mv "${base%.tar}-part.tar" "$base"
	fi
	exec 9>&-
	mkdir "$1" && tar x -C "$1" -f "$base" --exclude='./dev/*'
}
inside() { chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
as_clock() { inside setpriv --reuid timeclock --regid timeclock --init-groups "$@"; }

# A clock without hardware, and a Zeitstrom that is nowhere, so that bookings stay.
settings='
reader.driver = "simulated"
display.driver = "none"
terminal.lockout = "0s"
zeitstrom.url = "http://127.0.0.1:9/"
'
badge() { as_clock timeclock badge add 01020304 a1b2c3d4-e5f6-7890-abcd-ef1234567890 Anna >/dev/null; }
runs() { # waits until the clock answers
	for _ in $(seq 100); do
		as_clock timeclock status >/dev/null 2>&1 && return
		sleep 0.1
	done
	return 1
}
