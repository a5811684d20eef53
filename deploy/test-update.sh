#!/usr/bin/env bash
# Updates a clock with bookings that Zeitstrom does not have, in a fresh Debian, with the
# real dpkg and packages signed by the real minisign: by a good package; by such that
# are signed wrong, changed, damaged, or for another device; by versions that crash or
# hang; and with the updater killed in each step. A loop stands in for systemd. Needs
# root, mmdebstrap and minisign; takes about four minutes.
#
#   sudo deploy/test-update.sh
#
# FROM and TO name checkouts that the old and the new version are built from, instead of this one:
#
#   sudo FROM=../timeclock-0.9 deploy/test-update.sh
set -euo pipefail
from=$(realpath "${FROM:-$(dirname "$0")/..}") to=$(realpath "${TO:-$(dirname "$0")/..}")
cd "$(dirname "$0")"
source ./test-lib.sh
needs mmdebstrap minisign dpkg-deb python3

scenario=${1:-all}
if [ "$scenario" = all ]; then
	export work
	work=$(mktemp -d)
	trap 'rm -rf --one-file-system "$work"' EXIT
	arch=$(dpkg --print-architecture)
	VERSION=1.0 ARCHS=$arch "$from/deploy/package.sh" "$work/debs" >/dev/null
	VERSION=2.0 ARCHS=$arch "$to/deploy/package.sh" "$work/debs" >/dev/null
	cd "$work/debs"
	# Versions that do not work: the program is another one.
	bad() { # VERSION PROGRAM
		rm -rf "$work/bad" && dpkg-deb -R "timeclock_2.0_$arch.deb" "$work/bad"
		printf '#!/bin/sh\n%s\n' "$2" >"$work/bad/usr/bin/timeclock"
		sed -i "s/^Version: .*/Version: $1/" "$work/bad/DEBIAN/control"
		dpkg-deb --root-owner-group -b "$work/bad" "timeclock_$1_$arch.deb" >/dev/null
	}
	bad 2.1 'exit 1'
	bad 2.2 'exec sleep 1000'
	sed -i 's/^Architecture: .*/Architecture: riscv64/' "$work/bad/DEBIAN/control" && dpkg-deb --root-owner-group -b "$work/bad" foreign.deb >/dev/null
	sed -i 's/^Package: .*/Package: other/' "$work/bad/DEBIAN/control" && dpkg-deb --root-owner-group -b "$work/bad" other.deb >/dev/null
	head -c 100000 /dev/urandom >damaged.deb
	minisign -G -W -p "$work/key.pub" -s "$work/key" >/dev/null
	minisign -G -W -p "$work/wrong.pub" -s "$work/wrong" >/dev/null
	for deb in *.deb; do minisign -S -s "$work/key" -m "$deb" </dev/null >/dev/null; done
	cp "timeclock_2.0_$arch.deb" wrong.deb && minisign -S -s "$work/wrong" -m wrong.deb </dev/null >/dev/null
	cp "timeclock_2.0_$arch.deb" changed.deb && cp "timeclock_2.0_$arch.deb.minisig" changed.deb.minisig
	printf x | dd of=changed.deb bs=1 seek=1000 conv=notrunc 2>/dev/null
	cp "timeclock_2.0_$arch.deb" unsigned.deb

	# Each in a world of its own: processes and mounts end with it.
	cd "$OLDPWD"
	debian "$work/base"
	failed=0 pids=() names=(refused good fetched crashes hangs killed)
	for name in "${names[@]}"; do
		unshare --mount --pid --fork --kill-child "./${0##*/}" "$name" >"$work/$name.log" 2>&1 &
		pids+=($!)
	done
	for i in "${!names[@]}"; do
		wait "${pids[$i]}" || failed=$((failed + 1))
		sed "s/^/${names[$i]}: /" "$work/${names[$i]}.log"
	done
	echo "$(grep -h '^ok' "$work"/*.log | wc -l) passed, $failed failed"
	exit $((failed > 0))
fi

all=$work
work=$all/$scenario root=$all/$scenario/root
mkdir "$work" && cp -a "$all/base" "$root"
mount -t proc proc /proc # of this world
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
arch=$(dpkg --print-architecture)
cp -r "$all/debs" "$root/debs"
deb() { echo "/debs/timeclock_$1_$arch.deb"; }

is "installs version 1.0" inside dpkg -i "$(deb 1.0)"
echo "$settings
update.key = \"$(tail -n 1 "$all/key.pub")\"" >"$root/etc/timeclock/timeclock.toml"
badge
# What systemd does with the clock: it runs whatever is installed, again and again.
cat >"$root/usr/local/bin/systemctl" <<-'END'
	#!/bin/sh
	[ "$1" = restart ] || exit 0
	for p in /proc/[0-9]*; do
		[ "$(stat -c %U "$p" 2>/dev/null)" != timeclock ] || kill -KILL "${p#/proc/}"
	done
END
chmod 755 "$root/usr/local/bin/systemctl"
inside sh -c 'while :; do setpriv --reuid timeclock --regid timeclock --init-groups timeclock run; sleep 1; done' >"$work/clock.log" 2>&1 &
is "runs" runs
is "books" as_clock timeclock tap 01020304
is "books again" as_clock timeclock tap 01020304
update() { inside timeclock update -file "$1"; }
version() { inside dpkg-query -f '${Version} ${db:Status-Status}' -W timeclock; }
pending() { as_clock timeclock status -json | grep -o '"pending":[0-9]*'; }
ends_with() { # VERSION: it is installed, runs, and has all bookings
	is "version $1 is installed" test "$(version)" = "$1 installed"
	is "and runs" runs
	is "as itself" sh -c "$(declare -f inside as_clock); root=$root; as_clock timeclock status -json | grep -q '\"version\":\"$1\"'"
	is "with all bookings" test "$(pending)" = '"pending":2'
	is "nothing is under way" test ! -e "$root/var/lib/timeclock-update/plan.json"
}

case $scenario in
refused)
	is "a package without a signature is refused" fails update /debs/unsigned.deb
	is "with advice" says "minisign -Sm"
	for what in wrong changed; do
		is "a package that is signed by others, or changed: $what" fails update /debs/$what.deb
		is "is not opened" says "it was not opened"
	done
	is "a damaged package is refused" fails update /debs/damaged.deb
	is "by its damage" says "the package is damaged"
	is "a package for another device is refused" fails update /debs/foreign.deb
	is "by its architecture" says "the package is for riscv64, this device is $arch"
	is "another package is refused" fails update /debs/other.deb
	is "by its name" says "no time clock"
	sed -i /update.key/d "$root/etc/timeclock/timeclock.toml"
	is "without a key nothing is taken" fails update "$(deb 2.0)"
	is "which is said" says "set [update] key"
	is "only root updates" fails as_clock timeclock update -file "$(deb 2.0)"
	is "which is said, too" says "only root"
	ends_with 1.0
	;;
good)
	is "updates" update "$(deb 2.0)"
	is "and says so" says "Done: version 2.0 runs and is healthy."
	ends_with 2.0
	is "the version before is kept" test "$(dpkg-deb -f "$root/var/lib/timeclock-update/old.deb" Version)" = 1.0
	is "its settings are those that it came with" sh -c "dpkg-deb --fsys-tarfile '$root/var/lib/timeclock-update/old.deb' | tar xO ./etc/timeclock/timeclock.toml | cmp - '$root/usr/share/timeclock/timeclock.toml'"
	is "and whole" sh -c "dpkg-deb -x '$root/var/lib/timeclock-update/old.deb' '$work/x' && dpkg-deb -x '$root$(deb 1.0)' '$work/y' && diff -r '$work/x/usr' '$work/y/usr'"
	is "the settings are as they were" grep -q simulated "$root/etc/timeclock/timeclock.toml"
	is "it can be gone back by hand" update "$(deb 1.0)"
	ends_with 1.0
	;;
fetched)
	(cd "$root/debs" && exec python3 -m http.server --bind 127.0.0.1 8000) >"$work/http.log" 2>&1 &
	echo 'update.url = "http://127.0.0.1:8000/"
update.hours = "00:00-23:59"' >>"$root/etc/timeclock/timeclock.toml"
	until (: </dev/tcp/127.0.0.1/8000) 2>/dev/null; do sleep 0.2; done
	offer() { echo "$1" >"$root/debs/latest.txt"; }
	signed() { ./sign-index.sh "$root/debs" "$all/key" "$@" </dev/null; }
	as_fetcher() { inside setpriv --reuid timeclock-fetch --regid timeclock-fetch --clear-groups "$@"; }
	# As in their units: one without any rights, and root, who believes no file of the other's.
	stage() { (umask 077 && inside timeclock update -stage); }
	fetch() { (umask 077 && as_fetcher timeclock update -fetch) && stage; }
	downloads=$root/var/lib/timeclock-fetch
	plan=$root/var/lib/timeclock-update/plan.json
	offer 2.0
	is "the fetcher has a directory of its own" test "$(stat -c %a:%u "$downloads")" = "700:$(inside id -u timeclock-fetch)"
	is "it cannot stage anything" fails as_fetcher timeclock update -stage
	is "nor look into root's directory" fails as_fetcher ls /var/lib/timeclock-update
	is "a newer version is fetched" fetch
	is "and staged" test -e "$plan"
	is "still the old one runs" test "$(version)" = "1.0 installed"
	is "the unit installs it" inside /var/lib/timeclock-update/timeclock update -resume
	ends_with 2.0
	as_fetcher sh -c "echo '{\"from\":\"1.0\",\"to\":\"9\",\"step\":\"install\"}' >/var/lib/timeclock-fetch/plan.json; ln -s /bin/sh /var/lib/timeclock-fetch/timeclock"
	is "looked for again" fetch
	is "it is not fetched again" test ! -e "$plan"
	offer 1.0
	is "looked for an older one" fetch
	is "it is not fetched" test ! -e "$plan"
	cp "$root$(deb 1.0)" "$root$(deb 3.0)" && cp "$root$(deb 1.0).minisig" "$root$(deb 3.0).minisig"
	offer 3.0
	is "an old one under a new name is refused" fails fetch
	is "by what it is" says "what is offered as version 3.0 is version 1.0"
	is "which is shown to nobody where no unit shows it" test ! -e "$root/run/timeclock-update"
	mkdir "$root/run/timeclock-update"
	ln -sf /etc/shadow "$downloads/link" && rm -f "$downloads/timeclock_3.0_$arch.deb" && as_fetcher ln -s /etc/shadow "/var/lib/timeclock-fetch/timeclock_3.0_$arch.deb"
	is "a link to root's files is not followed" fails stage
	is "which is said" says "is a link"
	rm "$downloads"/timeclock_3.0_*
	is "an index with a date is signed" signed -version 2.0
	is "and found" fetch
	is "and shown" grep -q "\"date\":\"$(date -u +%F)T" "$root/run/timeclock-update/channel.json"
	is "that the version that runs is withdrawn" signed -version 2.1 -withdraw 2.0
	echo 2.1 >"$root/var/lib/timeclock-update/failed.txt"
	is "is found" fetch
	is "and told" inside sh -c 'timeclock doctor || true'
	is "by the doctor" says "version 2.0, which runs here, was withdrawn"
	cp "$root/debs/latest.toml" "$work/new.toml" && cp "$root/debs/latest.toml.minisig" "$work/new.minisig"
	sed -i 's/^date = .*/date = 2026-01-01T00:00:00Z/' "$root/debs/latest.toml" && minisign -S -s "$all/key" -m "$root/debs/latest.toml" </dev/null >/dev/null
	is "an older index is refused" fails fetch
	is "by its date" says "somebody offers an old one"
	sed -i 's/2026-01-01/2026-01-02/' "$root/debs/latest.toml"
	is "one that was changed as well" fails fetch
	is "by its signature" says "the signature is not by the key"
	rm "$root"/debs/latest.toml*
	offer 3.0
	is "a bare index is believed no more" fetch
	is "so nothing is staged" test ! -e "$plan"
	cp "$work/new.toml" "$root/debs/latest.toml" && cp "$work/new.minisig" "$root/debs/latest.toml.minisig"
	offer 2.1
	echo 2.1 >"$root/var/lib/timeclock-update/failed.txt"
	is "looked for one that has failed" fetch
	is "it is not tried again" test ! -e "$plan"
	sed -i 's/^update.hours.*/update.hours = "'"$(date -u -d '+2 hours' +%H:%M)-$(date -u -d '+3 hours' +%H:%M)"'"/' "$root/etc/timeclock/timeclock.toml"
	offer 2.2
	is "in busy hours nobody looks" fetch
	is "so nothing is fetched" test ! -e "$plan"
	ends_with 2.0
	;;
crashes | hangs)
	bad=$([ "$scenario" = crashes ] && echo 2.1 || echo 2.2)
	began=$SECONDS
	is "a version that $scenario is taken back" fails update "$(deb $bad)"
	is "which is said" says "version $bad was taken back, 1.0 runs again: it was not healthy within 2m0s"
	is "within three minutes, watching included" test $((SECONDS - began)) -lt 180
	echo "     took $((SECONDS - began)) s"
	ends_with 1.0
	is "it is not fetched again" grep -qx $bad "$root/var/lib/timeclock-update/failed.txt"
	if [ "$scenario" = crashes ]; then
		is "a good one is taken after it" update "$(deb 2.0)"
		ends_with 2.0
		is "the settings are as they were" grep -q simulated "$root/etc/timeclock/timeclock.toml"
	fi
	;;
killed)
	helper() { inside /var/lib/timeclock-update/timeclock update -resume; }
	plan=$root/var/lib/timeclock-update/plan.json
	in_step() { grep -q "\"step\":\"$1\"" "$plan" 2>/dev/null; }
	from=1.0 to=2.0
	for kill in install install+0.3 install+1 watch; do
		inside timeclock update -file "$(deb $to)" >"$work/update.log" 2>&1 &
		until in_step "${kill%+*}"; do sleep 0.02; done
		[ "$kill" = "${kill%+*}" ] || sleep "${kill#*+}"
		pkill -KILL -f 'update -file' || true
		wait $! 2>/dev/null || true
		is "killed at $kill there is something to go on with" test -e "$plan"
		is "it goes on" helper
		ends_with $to
		read -r from to <<<"$to $from"
	done
	# With a version that crashes, killed while it watches, and again while it goes back.
	inside timeclock update -file "$(deb 2.1)" >"$work/update.log" 2>&1 &
	until in_step watch; do sleep 0.02; done
	pkill -KILL -f 'update -file'
	helper >"$work/helper.log" 2>&1 &
	until in_step return; do sleep 0.02; done
	pkill -KILL -f 'update -resume'
	wait $! 2>/dev/null || true
	is "killed while it goes back it goes on" fails helper
	is "and back" says "version 2.1 was taken back, $from runs again"
	ends_with $from
	;;
esac
