#!/usr/bin/env bash
# `make dist`: of the program that `make build` has built, a tarball and a Debian package, in dist/. Both run without
# Swift on Debian 12 (cluster/package/test.sh tries it); what else they need are Debian's own libraries.
#     cluster/package/dist.sh VERSION
# VERSION: "0.1.0+3fa1c2d4e5f6", as `quintet --version` says it.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
version=${1:?dist.sh: the version}
architecture=$(dpkg --print-architecture)
out=$top/dist
rm -rf "$out"
root=$out/root
mkdir -p "$root"

make -s -C "$top" install-files DESTDIR="$root" PREFIX=/usr
strip --strip-unneeded "$root/usr/bin/quintet" "$root/usr/bin/quintet-dicom"
find "$root/usr/share/man" -name '*.1' -exec gzip -9n {} +
install -D -m 644 "$top/LICENSE" "$root/usr/share/doc/quintet/copyright"
install -m 644 "$top/README.md" "$root/usr/share/doc/quintet/README.md"
gzip -9nc "$top/CHANGELOG.md" > "$root/usr/share/doc/quintet/changelog.gz"
for unit in coordinator worker; do
    install -D -m 644 "$top/cluster/systemd/quintet-$unit.service" "$root/usr/lib/systemd/system/quintet-$unit.service"
done

# Where somebody has no rights: the program and its pages below one folder.
name=quintet-$version-$(uname -m)
mkdir -p "$out/$name"
cp -r "$root/usr/." "$out/$name/"
tar -C "$out" --owner=0 --group=0 --sort=name -czf "$out/$name.tar.gz" "$name"

# What its libraries are called in Debian, or with the suffix of the change to a time_t of 64 bits.
mkdir -p "$out/debian"
printf 'Source: quintet\nPackage: quintet\n' > "$out/debian/control"
depends=$(cd "$out" && dpkg-shlibdeps -O --ignore-missing-info root/usr/bin/quintet 2> /dev/null \
    | sed -n 's/^shlibs:Depends=//p' | sed -E 's/\b(libssl3|libniftiio2|libznz3|libsqlite3-0)( \([^)]*\))/\1\2 | \1t64/g')
[ -n "$depends" ] || { echo "dist.sh: dpkg-shlibdeps says nothing of the program's libraries" >&2; exit 1; }
# DCMTK is for those who have DICOM: workers and coordinators need none.
recommends=$(cd "$out" && dpkg-shlibdeps -O --ignore-missing-info root/usr/bin/quintet-dicom 2> /dev/null \
    | sed -n 's/^shlibs:Depends=//p' | tr ',' '\n' | grep -o 'libdcmtk[0-9a-z]*' | head -1)
[ -n "$recommends" ] || { echo "dist.sh: dpkg-shlibdeps says nothing of quintet-dicom's libraries" >&2; exit 1; }
install -d "$root/DEBIAN"
cat > "$root/DEBIAN/control" << EOF
Package: quintet
Version: $version
Architecture: $architecture
Maintainer: Quintet <quintet@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends
Recommends: adduser, libmicrohttpd12 | libmicrohttpd12t64, $recommends
Section: science
Priority: optional
Description: ensembles of segmentation networks on whatever machines there are
 A coordinator hands replicas of a network and the volumes of an archive to
 workers, which train and segment on their processors; what has been
 acknowledged is never lost, and the same seed gives the same bytes.
 .
 The services quintet-coordinator and quintet-worker are not started before
 somebody enables them.
EOF
install -m 755 "$top/cluster/package/postinst" "$top/cluster/package/prerm" "$top/cluster/package/postrm" "$root/DEBIAN/"
dpkg-deb --root-owner-group --build -Zxz "$root" "$out/quintet_${version}_$architecture.deb" > /dev/null
rm -rf "$root" "$out/debian" "${out:?}/$name"
ls -l "$out" | awk 'NR > 1 { printf "%s  %.1f MB\n", $9, $5 / 1e6 }'
