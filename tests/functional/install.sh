#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What `meson install` places can be used: the library by pkg-config from a program that knows no
# DPDK, each header by itself, and the driver from EAL's own folder.
. "$(dirname "$0")/lib.sh"
needs cmd:meson cmd:pkg-config cmd:cc

dest=$LAB_TMP/dest
meson install -C "$LAB_BUILD" --no-rebuild --destdir "$dest" >"$LAB_TMP/install.log" 2>&1
check "meson install ends with 0" [ $? = 0 ] || cat "$LAB_TMP/install.log"

pc=$(find "$dest" -name labyrinth.pc)
check "there is one labyrinth.pc" [ "$(wc -l <<<"$pc")" = 1 ] || finish
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dest
libdir=$dest$(pkg-config --variable=libdir labyrinth)
check "the library is there under its names" ls "$libdir/liblabyrinth.so" "$libdir/liblabyrinth.so.0"
check_not "it needs no DPDK and no GSL" grep -Eq 'librte|libgsl' <(ldd "$libdir/liblabyrinth.so")

read -ra cflags < <(pkg-config --cflags labyrinth)
read -ra libs < <(pkg-config --libs labyrinth)
include=$dest$(pkg-config --variable=includedir labyrinth)/labyrinth
for header in "$include"/*.h; do
    check "${header##*/} compiles by itself" \
        cc -std=gnu11 -Wall -Wextra -Werror "${cflags[@]}" -fsyntax-only -x c "$header"
done

cat >"$LAB_TMP/user.c" <<'END'
#include <lab_page.h>
#include <stdio.h>

LABYRINTH_DEFINE(zone_of_user, 256);

int main(void)
{
	void *page = lab_alloc_page_gfp_atomic(zone_of_user);

	if (page == NULL)
		return 1;
	printf("a page\n");
	return 0;
}
END
check "a program compiles against it" cc -o "$LAB_TMP/user" "$LAB_TMP/user.c" "${cflags[@]}" "${libs[@]}"
check "and gets a page from a static zone" env "LD_LIBRARY_PATH=$libdir" "$LAB_TMP/user"

driver=$(find "$dest" -name 'librte_mempool_labyrinth.so*' | head -n 1)
eal_dir=$(dirname "$(find /usr/lib /usr/local/lib -name 'librte_mempool_ring.so' -path '*pmds-*' 2>/dev/null | head -n 1)")
note "EAL loads drivers from $eal_dir"
check "the driver is in EAL's folder" [ "${driver%/*}" = "$dest$eal_dir" ]
finish
