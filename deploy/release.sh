#!/usr/bin/env bash
# Makes a whole release:
#
#   deploy/release.sh DIR [VERSION]
#
# leaves in DIR, which must be new or empty:
#
#   timeclock_VERSION_{armhf,arm64,amd64}.deb       the packages, for updates and by hand
#   timeclock-VERSION-SYSTEM-PROCESSOR.zip|.tar.gz  for a technician's computer: program, packages, completion
#   timeclock-VERSION.cdx.json                      what the programs are made of (CycloneDX)
#   latest.toml                                     which version is the newest, dated, for clocks that update
#   NOTES.md, README.txt, SHA256SUMS, UNSIGNED.txt
#
# Version and date are those of deploy/package/changelog unless VERSION is given. Two runs, wherever, make
# the same files. Nothing is signed: deploy/sign-release.sh does that. Needs Go and dpkg-deb; takes six
# minutes on two cores the first time, and one when all is compiled.
set -euo pipefail
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: $0 DIR [VERSION]" >&2; exit 2; }
began=$SECONDS
mkdir -p "$1"
out=$(realpath "$1")
[ -z "$(ls -A "$out")" ] || { echo "$0: $1 is not empty: name another folder" >&2; exit 1; }
cd "$(dirname "$0")"
changelog=package/changelog
VERSION=${2:-$(sed -n '1s/.*(\(.*\)).*/\1/p' $changelog)}
[[ $VERSION =~ ^[0-9][0-9A-Za-z.+~-]*$ ]] || { echo "$0: $VERSION is no version" >&2; exit 2; }
SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' $changelog | head -1)" +%s)
export VERSION SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

steps=9 step=0
next() { # what is done now
	step=$((step + 1))
	printf '[%d/%d] %s (after %ds)\n' $step $steps "$*" $((SECONDS - began))
}

next "packages for clocks"
./package.sh "$out" | sed 's/^/      /'
CGO_ENABLED=0 go build -trimpath -o "$work/here" ../cmd/timeclock
CGO_ENABLED=0 go build -trimpath -o "$work/release" ./release

mkdir "$work/completion"
"$work/here" completion bash >"$work/completion/timeclock.bash"
"$work/here" completion zsh >"$work/completion/_timeclock"
"$work/here" completion fish >"$work/completion/timeclock.fish"

programs=()
for target in linux/amd64 linux/arm64 macos/amd64 macos/arm64 windows/amd64 windows/arm64; do
	system=${target%/*} processor=${target#*/}
	next "program for $system, $processor"
	name=timeclock-$VERSION-$system-$processor
	folder=$work/$name program=timeclock archive=$name.zip goos=$system
	case $system in
	macos) goos=darwin ;;
	windows) program=timeclock.exe ;;
	linux) archive=$name.tar.gz ;;
	esac
	mkdir "$folder"
	(cd .. && CGO_ENABLED=0 GOOS=$goos GOARCH=$processor go build -trimpath -buildvcs=false \
		-ldflags="-s -w -buildid= -X main.version=$VERSION" -o "$folder/$program" ./cmd/timeclock)
	cp "$folder/$program" "$work/$name.program"
	programs+=("$work/$name.program")
	cp -r "$work/completion" "$out"/timeclock_"$VERSION"_{armhf,arm64}.deb ../LICENSE release/START.txt "$folder"
	"$work/release" pack "$out/$archive" "$folder"
	rm -r "$folder"
done

next "what it is made of"
"$work/release" bom "$VERSION" "${programs[@]}" >"$out/timeclock-$VERSION.cdx.json"

next "notes, index and sums"
{
	echo "# timeclock $VERSION"
	echo
	echo "Of $(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)."
	sed -n '/^ -- /q; 2,$p' $changelog
} >"$out/NOTES.md"
printf 'date = %s\nversion = "%s"\nwithdrawn = []\n' "$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)" "$VERSION" >"$out/latest.toml"
echo "$VERSION" >"$out/latest.txt"
sed "s/@VERSION@/$VERSION/g" release/README.txt >"$out/README.txt"
(cd "$out" && sha256sum ./*.deb ./*.zip ./*.tar.gz ./*.json NOTES.md README.txt | sed 's# \./# #' >SHA256SUMS)
cat >"$out/UNSIGNED.txt" <<-END
	This release is not signed: nobody can tell who made it, and no clock takes an update from it. Use it only
	if you know whom you have it from. (Who makes releases signs them with deploy/sign-release.sh.)
END
echo "timeclock $VERSION is in $out, not signed. It took $((SECONDS - began)) s."
