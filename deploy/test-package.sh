#!/usr/bin/env bash
# Judges the packages: built alike from another place, clean by lintian, and installed,
# upgraded, removed and purged by the real dpkg in a fresh Debian, with bookings that
# Zeitstrom does not have. Needs root (for chroot), mmdebstrap, lintian, and the network
# for the first Debian, which is kept in ~/.cache/timeclock.
#
#   sudo deploy/test-package.sh
set -euo pipefail
cd "$(dirname "$0")"
source ./test-lib.sh
needs mmdebstrap lintian dpkg-deb
# A world of its own: what it mounts and starts is seen by nobody else, and gone with it.
[ "${OWN_WORLD:-}" ] || OWN_WORLD=yes exec unshare --mount --pid --fork --kill-child "./${0##*/}"
mount -t proc proc /proc
work=$(mktemp -d)
trap 'umount -l "$work"/root/{proc,dev} 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
./package.sh "$work/debs"
arch=$(dpkg --print-architecture)
deb=$(echo "$work/debs"/timeclock_*_"$arch".deb)
version=$(dpkg-deb -f "$deb" Version)
git -C .. ls-files -co --exclude-standard -z | (cd .. && tar c --null -T -) | (mkdir "$work/elsewhere" && tar x -C "$work/elsewhere")
ARCHS=$arch "$work/elsewhere/deploy/package.sh" "$work/again"
is "built alike from another place" cmp "$deb" "$work/again/$(basename "$deb")"
for each in "$work/debs"/*.deb; do
	is "lintian: $(basename "$each")" lintian --fail-on error,warning --allow-root "$each"
done
file=$(mktemp -p "$work") && dpkg-deb --fsys-tarfile "$work"/debs/*_armhf.deb | tar xO ./usr/bin/timeclock >"$file"
is "armhf is ARMv6" sh -c "readelf -A '$file' | grep -q 'Tag_CPU_arch: v6' || go version -m '$file' | grep -q 'GOARM=6'"
VERSION=$version+1 ARCHS=$arch ./package.sh "$work/new"

root=$work/root
debian "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
cp "$deb" "$root/old.deb" && cp "$work"/new/*.deb "$root/new.deb"

is "installs" inside dpkg -i /old.deb
is "asks for a token" says "put the API token into /etc/timeclock/token"
is "its user is in the groups of its devices" sh -c "chroot '$root' id -nG timeclock | grep spi | grep i2c | grep -q gpio"
is "the state directory is the clock's alone" test "$(stat -c %a:%u "$root/var/lib/timeclock")" = "750:$(inside id -u timeclock)"
is "is enabled" test -L "$root/etc/systemd/system/multi-user.target.wants/timeclock.service"
is "the settings are good" inside timeclock config check
is "runs" test "$(inside timeclock version | cut -d, -f1)" = "timeclock $version"

# Two bookings that Zeitstrom, which is nowhere, does not have.
echo "$settings" >"$root/etc/timeclock/timeclock.toml"
badge
as_clock timeclock run >"$work/log" 2>&1 &
is "starts" runs
is "books" as_clock timeclock tap 01020304
is "books again" as_clock timeclock tap 01020304
pkill -KILL -f '^timeclock run$'
wait || true
left() { inside timeclock undelivered; }

echo secret >"$root/etc/timeclock/token"
is "upgrades" inside dpkg -i --force-confold /new.deb
is "is the new one" test "$(inside timeclock version | cut -d, -f1)" = "timeclock $version+1"
is "keeps what is pending" test "$(left)" = 2
is "keeps the settings" grep -q simulated "$root/etc/timeclock/timeclock.toml"
is "makes the token the clock's alone" test "$(stat -c %a:%u "$root/etc/timeclock/token")" = "600:$(inside id -u timeclock)"
is "goes back" inside dpkg -i --force-confold --force-downgrade /old.deb
is "still keeps what is pending" test "$(left)" = 2
echo correct-horse-battery >"$root/phrase"
is "is backed up" inside timeclock backup -out /backup.age -passphrase-file /phrase
is "with what Zeitstrom does not have" says "lists 2 bookings"
is "for root's eyes, and encrypted" test "$(stat -c %a:%u "$root/backup.age"; grep -c secret "$root/backup.age")" = "$(printf '600:0\n0')"
# Somebody has taken the daemon over, and leaves links and a pipe where root comes along.
echo untouched >"$root/etc/victim"
as_clock sh -c 'cd /var/lib/timeclock && ln -sf /etc/victim undelivered && ln -s /etc/shadow shadow && ln -s /etc etc && mkfifo pipe'
is "is removed" inside dpkg -r timeclock
is "says what stays" says "2 bookings and unclaimed taps that Zeitstrom does not have stay"
is "root follows no link of the clock's user" grep -qx untouched "$root/etc/victim"
is "is purged" inside dpkg -P timeclock
is "says where they are kept" says "2 bookings and unclaimed taps that Zeitstrom does not have are kept in /var/backups/timeclock-"
is "without links and pipes" test "$(find "$root"/var/backups/timeclock-* ! -type f ! -type d | wc -l)" = 0
is "and nothing behind them was touched" grep -qx untouched "$root/etc/victim"
is "forgets the token" test ! -e "$root/etc/timeclock/token"
is "leaves nothing else" test ! -e "$root/var/lib/timeclock" -a ! -e "$root/etc/timeclock"
is "installs again" inside dpkg -i /old.deb
owner() { stat -c %a:%u "$root/$1"; }
clock=$(inside id -u timeclock)
is "becomes the clock of the backup" inside timeclock restore /backup.age -passphrase-file /phrase
is "with its settings" grep -q simulated "$root/etc/timeclock/timeclock.toml"
is "which everybody may read" test "$(owner etc/timeclock/timeclock.toml)" = 644:0
is "its token, the clock's alone" test "$(cat "$root/etc/timeclock/token"; owner etc/timeclock/token)" = "$(echo secret; echo "600:$clock")"
is "and its badges" test "$(owner var/lib/timeclock/roster.csv)" = "600:$clock"
is "and what was not sent is not forgotten" test "$(left)" = 2
as_clock timeclock run >"$work/log" 2>&1 &
is "starts as that clock" runs
is "takes over what was not sent" inside timeclock restore -take-over -yes
pkill -KILL -f '^timeclock run$'
wait $! || true
is "once" fails inside timeclock restore -take-over -yes
is "and it is not sent yet" test "$(left)" = 2
rm "$root"/var/lib/timeclock/queue.db*
is "what was kept can be put back" inside sh -c 'install -o timeclock -g timeclock -m 600 /var/backups/timeclock-*/queue.db /var/lib/timeclock/'
is "nothing was lost" test "$(left)" = 2
rm "$root"/var/lib/timeclock/queue.db*
is "is purged with nothing pending" inside dpkg -P timeclock
is "and has nothing to say about it" test "$(grep -c Zeitstrom "$work/out")" = 0

# A card, as the image leaves it, prepared and booted for the first time.
go build -o "$work/timeclock" ../cmd/timeclock
mkdir -p "$root/boot/firmware"
touch "$root"/boot/firmware/{config.txt,cmdline.txt,meta-data}
printf 'reader.driver = "simulated"\ndisplay.driver = "none"\n' >"$work/door.toml"
echo very-secret-token >"$work/token"
printf 'ssid = "office"\npassword = "very-secret-password"\ncountry = "DE"\n' >"$work/wifi.toml"
is "flashes" "$work/timeclock" flash -boot "$root/boot/firmware" -config "$work/door.toml" -token "$work/token" -wifi "$work/wifi.toml" -package "$work/debs" -name door-1
cp -a "$root/boot/firmware" "$work/card"
mv "$root/boot/firmware/timeclock/timeclock_${version}_$arch.deb" "$work/away"
is "a first boot without its package fails" sh -c "! chroot '$root' sh /boot/firmware/timeclock/first-boot.sh"
is "and says so" says "there is no package for $arch"
is "and keeps what it needs to go on" test -e "$root/boot/firmware/timeclock/token"
mv "$work/away" "$root/boot/firmware/timeclock/timeclock_${version}_$arch.deb"
is "the first boot installs" inside sh /boot/firmware/timeclock/first-boot.sh
is "what was prepared" cmp "$work/door.toml" "$root/etc/timeclock/timeclock.toml"
is "with the token, the clock's alone" test "$(cat "$root/etc/timeclock/token"; stat -c %a:%u "$root/etc/timeclock/token")" = "$(echo very-secret-token; echo "600:$(inside id -u timeclock)")"
is "no secret is left on the boot partition" sh -c "! grep -rq very-secret '$root/boot'"
is "nor prepared for a second one" sh -c "! '$work/timeclock' flash -boot '$root/boot/firmware' -config '$work/door.toml' -token '$work/token' -package '$work/debs' -name door-1"
is "which is said" says "through its first boot already"

# One card for many boards, of which one is known by its serial number.
rm -rf "$root/boot/firmware"
cp -a "$work/card" "$root/boot/firmware"
sed -i 's/^hostname:.*/preserve_hostname: true/' "$root/boot/firmware/user-data"
sed -i 's/^name=.*/name=door-SERIAL/' "$root/boot/firmware/timeclock/device"
echo 10000000deadbeef >"$root/etc/machine-id"
printf "127.0.0.1 localhost\n127.0.1.1 raspberrypi\n" >"$root/etc/hosts"
cp -a "$root/boot/firmware" "$work/by-serial"
is "a board of many boots" inside sh /boot/firmware/timeclock/first-boot.sh
is "and is named after its serial number" grep -qx door-deadbeef "$root/etc/hostname"
is "which it knows itself by" test "$(paste -sd, "$root/etc/hosts")" = '127.0.0.1 localhost,127.0.1.1 door-deadbeef'
rm -rf "$root/boot/firmware"
mv "$work/by-serial" "$root/boot/firmware"
printf 'abadcafe gate\n00deadbeef back-door\n' >"$root/boot/firmware/timeclock/names"
is "one in the list boots" inside sh /boot/firmware/timeclock/first-boot.sh
is "and has its name of the list" grep -qx back-door "$root/etc/hostname"

# The same, cut off before each command that changes something, and then run again.
mkdir -p "$root/cut"
for program in install dpkg dd rm sync; do
	printf '#!/bin/sh\nn=$(($(cat /cut/n) + 1))\necho $n >/cut/n\n[ $n != "$(cat /cut/at)" ] || kill -9 $PPID $$\nPATH=${PATH#*:} exec %s "$@"\n' $program >"$root/cut/$program"
	chmod +x "$root/cut/$program"
done
whole() { # what must be true once it has come to its end, whenever it was cut off
	cmp "$work/door.toml" "$root/etc/timeclock/timeclock.toml" && grep -qx very-secret-token "$root/etc/timeclock/token" &&
		! grep -rq very-secret "$root/boot" && [ ! -e "$root/boot/firmware/timeclock" ] && [ -e "$root/boot/firmware/timeclock-installed.txt" ]
}
cut=0
ended=no
while [ $ended = no ]; do
	cut=$((cut + 1))
	rm -rf "$root/boot/firmware"
	cp -a "$work/card" "$root/boot/firmware"
	echo before >"$root/etc/timeclock/token"
	echo 0 >"$root/cut/n"
	echo $cut >"$root/cut/at"
	if (chroot "$root" env -i PATH=/cut:/usr/sbin:/usr/bin:/sbin:/bin sh /boot/firmware/timeclock/first-boot.sh) >"$work/now" 2>&1; then
		ended=yes
	elif [ -e "$root/boot/firmware/timeclock/first-boot.sh" ]; then # else nothing was left to do
		inside sh /boot/firmware/timeclock/first-boot.sh >"$work/now" 2>&1 || cat "$work/now"
	fi
	whole || {
		echo "FAIL a first boot that is cut off at command $cut"
		cat "$work/now" "$root"/boot/firmware/timeclock-first-boot.log
		exit 1
	}
done
is "a first boot that is cut off before any of $((cut - 1)) commands ends well" test "$cut" -gt 15
echo "$passed passed, 0 failed"
