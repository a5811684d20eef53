#!/usr/bin/env bash
# Signs a release that deploy/release.sh has made:
#
#   deploy/sign-release.sh DIR KEY
#
# KEY is minisign's secret key; minisign asks for its password. Each package gets its signature, for clocks
# that update; SHA256SUMS one for everything else; and latest.toml is dated today and signed
# (deploy/sign-index.sh). Needs minisign.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: $0 DIR KEY" >&2; exit 2; }
[ -f "$1/SHA256SUMS" ] || { echo "$0: $1 is no release: deploy/release.sh makes them" >&2; exit 1; }
(cd "$1" && sha256sum --quiet -c SHA256SUMS) || { echo "$0: $1 is not as it was made: make it again" >&2; exit 1; }
version=$(sed -n 's/.*  timeclock_\(.*\)_arm64\.deb$/\1/p' "$1/SHA256SUMS")
for file in "$1"/*.deb; do
	grep -qF "  $(basename "$file")" "$1/SHA256SUMS" || { echo "$0: $file is not of this release" >&2; exit 1; }
done
for file in "$1"/*.deb "$1/SHA256SUMS"; do
	minisign -S -s "$2" -m "$file" -t "timeclock $version, $(basename "$file")"
done
"$(dirname "$0")/sign-index.sh" "$1" "$2" -version "$version"
rm -f "$1/UNSIGNED.txt"
