#!/usr/bin/env bash
# Builds the Debian packages for every Pi and for PCs:
#
#   deploy/package.sh DIR
#
# leaves timeclock_VERSION_{armhf,arm64,amd64}.deb in DIR. armhf is ARMv6 code, which
# every Pi with a 32-bit system runs. The version is that of deploy/package/changelog,
# or VERSION of the environment; ARCHS builds only some. The same sources and the same
# Go make the same packages, byte by byte. Needs Go and dpkg-deb.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
command -v dpkg-deb >/dev/null || { echo "$0: there is no dpkg-deb: install the package dpkg" >&2; exit 1; }
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "$0")/package"
VERSION=${VERSION:-$(sed -n '1s/.*(\(.*\)).*/\1/p' changelog)}
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' changelog | head -1)" +%s)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

build() { # ARCH OUTPUT
	local goarch=$1
	[ "$1" != armhf ] || goarch=arm
	(cd ../.. && CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=6 \
		go build -trimpath -buildvcs=false -ldflags="-s -w -buildid= -X main.version=$VERSION" -o "$2" ./cmd/timeclock)
}
put() { install -D -m "$1" "$2" "$root/$3"; } # MODE FILE PATH

host=$work/timeclock
(cd ../.. && CGO_ENABLED=0 go build -trimpath -o "$host" ./cmd/timeclock)
"$host" man-page >"$work/timeclock.1"
for shell in bash zsh fish; do "$host" completion "$shell" >"$work/completion.$shell"; done
"$host" config default >"$work/timeclock.toml"
sed "1s/(.*)/($VERSION)/" changelog >"$work/changelog"
gzip -9n "$work/timeclock.1" "$work/changelog"

for arch in ${ARCHS:-armhf arm64 amd64}; do
	root=$work/$arch
	build "$arch" "$work/bin"
	put 755 "$work/bin" usr/bin/timeclock
	for unit in timeclock.service timeclock-update.path timeclock-update.service timeclock-stage.service timeclock-fetch.service timeclock-fetch.timer; do
		put 644 ../$unit usr/lib/systemd/system/$unit
	done
	put 644 watchdog.conf usr/lib/systemd/system.conf.d/50-timeclock.conf
	put 644 sysusers.conf usr/lib/sysusers.d/timeclock.conf
	put 644 tmpfiles.conf usr/lib/tmpfiles.d/timeclock.conf
	put 644 modules-load.conf usr/lib/modules-load.d/timeclock.conf
	put 644 udev.rules usr/lib/udev/rules.d/60-timeclock.rules
	put 644 "$work/timeclock.toml" etc/timeclock/timeclock.toml
	put 644 "$work/timeclock.toml" usr/share/timeclock/timeclock.toml # an update keeps this one
	put 644 "$work/completion.bash" usr/share/bash-completion/completions/timeclock
	put 644 "$work/completion.zsh" usr/share/zsh/vendor-completions/_timeclock
	put 644 "$work/completion.fish" usr/share/fish/vendor_completions.d/timeclock.fish
	put 644 "$work/timeclock.1.gz" usr/share/man/man1/timeclock.1.gz
	put 644 "$work/changelog.gz" usr/share/doc/timeclock/changelog.gz
	put 644 copyright usr/share/doc/timeclock/copyright
	put 644 lintian-overrides usr/share/lintian/overrides/timeclock
	size=$(du -k -s --apparent-size "$root" | cut -f1)
	mkdir "$root/DEBIAN"
	sed "s/@VERSION@/$VERSION/; s/@ARCH@/$arch/; s/@SIZE@/$size/" control >"$root/DEBIAN/control"
	echo /etc/timeclock/timeclock.toml >"$root/DEBIAN/conffiles"
	install -m 755 postinst prerm postrm "$root/DEBIAN/"
	(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
	find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group -Zxz --build "$root" "$out/timeclock_${VERSION}_$arch.deb"
done
