#!/usr/bin/env bash
# Judges deploy/release.sh and deploy/sign-release.sh: two releases made in two places are the same; what is
# in them runs; one that is signed is verified in an empty folder, as its README.txt says. Needs git, Go,
# dpkg-deb, minisign and unzip; takes up to ten minutes on two cores the first time.
#
#   deploy/test-release.sh
set -euo pipefail
cd "$(dirname "$0")/.."
source deploy/test-lib.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' deploy/package/changelog)

git clone -q . "$work/one"
git clone -q . "$work/another place"
is "a release is made" "$work/one/deploy/release.sh" "$work/a"
is "says how far it is" says "[7/9] program for windows, arm64"
is "and that it is not signed" says "not signed"
is "another is made elsewhere, later, by somebody with another umask and time zone" env TZ=Asia/Tokyo bash -c "umask 077; '$work/another place/deploy/release.sh' '$work/b'"
is "they are the same" diff -r "$work/a" "$work/b"
is "a folder with something in it is refused" fails "$work/one/deploy/release.sh" "$work/a"
is "and what is no version" fails "$work/one/deploy/release.sh" "$work/c" "one point two"
is "it says that it is not signed" test -s "$work/a/UNSIGNED.txt"
is "its notes are those of the changelog" grep -q '^  \* ' "$work/a/NOTES.md"

mkdir "$work/computer"
(cd "$work/computer" && tar xzf "$work/a/timeclock-$version-linux-amd64.tar.gz" && unzip -q "$work/a/timeclock-$version-macos-arm64.zip" && unzip -q "$work/a/timeclock-$version-windows-amd64.zip")
program=$work/computer/timeclock-$version-linux-amd64/timeclock
is "the program runs" "$program" version
is "and is of that version" says "timeclock $version,"
is "that for a Mac is one" bash -c "[ -x '$work/computer/timeclock-$version-macos-arm64/timeclock' ] && head -c 4 '$work/computer/timeclock-$version-macos-arm64/timeclock' | od -An -tx1 | grep -q 'cf fa ed fe'"
is "that for Windows is one" bash -c "head -c 2 '$work/computer/timeclock-$version-windows-amd64/timeclock.exe' | grep -q MZ"
is "the packages are with them" cmp "$work/computer/timeclock-$version-windows-amd64/timeclock_${version}_arm64.deb" "$work/a/timeclock_${version}_arm64.deb"
mkdir "$work/card"
touch "$work"/card/{config.txt,cmdline.txt,meta-data,kernel8.img}
echo token >"$work/token"
is "and found beside the program" "$program" flash -boot "$work/card" -name door-1 -token "$work/token" -dry-run
is "the right one" says "package        timeclock_${version}_arm64.deb"

(cd "$work" && minisign -G -W -p timeclock.pub -s key >/dev/null && minisign -G -W -p other.pub -s other >/dev/null)
is "it is signed" deploy/sign-release.sh "$work/a" "$work/key"
is "and says no longer that it is not" test ! -e "$work/a/UNSIGNED.txt"
is "nothing else has changed" test "$(diff -rq "$work/a" "$work/b" | grep -v minisig | sed "s#$work/##g" | sort | paste -sd'|')" = "Files a/latest.toml and b/latest.toml differ|Only in b: UNSIGNED.txt"
mkdir "$work/empty"
cd "$work/empty"
cp "$work/a"/{SHA256SUMS,SHA256SUMS.minisig,"timeclock-$version-linux-amd64.tar.gz"} .
is "a download is whole" sha256sum -c SHA256SUMS --ignore-missing
is "and by who has the key" minisign -V -p "$work/timeclock.pub" -m SHA256SUMS
is "not by somebody else" fails minisign -V -p "$work/other.pub" -m SHA256SUMS
printf x >>"timeclock-$version-linux-amd64.tar.gz"
is "one that was changed is seen" fails sha256sum -c SHA256SUMS --ignore-missing
cd "$OLDPWD"
for file in "$work/a"/*.deb "$work/a/latest.toml"; do
	is "clocks take ${file##*/}" minisign -V -p "$work/timeclock.pub" -m "$file"
done
cp "$work/b/timeclock_${version}_arm64.deb" "$work/b/timeclock_9.9_arm64.deb"
is "a package that does not belong to it is not signed" fails deploy/sign-release.sh "$work/b" "$work/key"
rm "$work/b/timeclock_9.9_arm64.deb"
printf x >>"$work/b/NOTES.md"
is "a release that was changed is not signed" fails deploy/sign-release.sh "$work/b" "$work/key"
echo "$passed passed, 0 failed"
