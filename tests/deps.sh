# shellcheck shell=sh
# Sourced by bench/compare and tests/check: finds out what is missing on this
# machine and installs it, or says how to.  POSIX shell only, since on a fresh
# machine there is nothing else.
#
# The caller sets deps_who, the name that messages carry, and calls
#   deps "<required>" "<optional>"
# with words from deps_have() below.  It returns when all of the required ones
# are there, and otherwise prints one command and exits with EX_UNAVAILABLE.
# Optional ones are asked for only where something is installed anyway, or when
# deps_want_optional is set; a missing one is a line of output, not an error.

EX_UNAVAILABLE=69
: "${deps_who:?is set by the script that sources this file}"

# What deps_have() could not find, of the words that it was given.
deps_missing()
{
	dm_list=
	for dm_word in $1; do
		deps_have "$dm_word" || dm_list="$dm_list $dm_word"
	done
	echo "${dm_list# }"
}

deps_have()
{
	case $1 in
	cc)
		# A compiler without the C library's headers is common.
		dh_dir=$(mktemp -d) || return 1
		printf '#include <stdio.h>\nint main(void) { return 0; }\n' \
		    >"$dh_dir/t.c"
		dh_error=0
		$(deps_cc) -o "$dh_dir/t" "$dh_dir/t.c" >/dev/null 2>&1 ||
		    dh_error=1
		rm -rf "$dh_dir"
		return $dh_error
		;;
	cmake)
		cmake --version 2>/dev/null | awk '
			/^cmake version/ {
				split($3, v, ".")
				ok = v[1] > 3 || (v[1] == 3 && v[2] >= 25)
			}
			END { exit !ok }'
		;;
	builder)
		command -v ninja >/dev/null || command -v make >/dev/null
		;;
	clang)
		command -v clang >/dev/null
		;;
	clang-format)
		[ -n "$(deps_clang_format)" ]
		;;
	pkg-config)
		command -v pkg-config >/dev/null
		;;
	spin)
		command -v spin >/dev/null
		;;
	nsync)
		# It has no .pc file everywhere.
		printf '#include <nsync_mu.h>\n' |
		    $(deps_cc) -I/usr/local/include -E - >/dev/null 2>&1
		;;
	absl)
		pkg-config --exists absl_synchronization
		;;
	tbb)
		pkg-config --exists 'tbb >= 2021'
		;;
	jemalloc)
		# FreeBSD's libc is jemalloc.
		[ -e /usr/include/malloc_np.h ] || pkg-config --exists jemalloc
		;;
	*)
		command -v pkg-config >/dev/null && pkg-config --exists "$1"
		;;
	esac 2>/dev/null
}

# gcc where there is one, so that a build directory means the same everywhere.
deps_cc()
{
	for dc_cc in ${CC:+"$CC"} gcc cc clang; do
		if command -v "${dc_cc%% *}" >/dev/null; then
			echo "$dc_cc"
			return 0
		fi
	done
	echo cc
}

# Other versions of clang-format format otherwise, so only this one counts.
deps_clang_format()
{
	for dc_cf in clang-format-14 clang-format14 clang-format; do
		if "$dc_cf" --version 2>/dev/null | grep -q 'version 14\.'; then
			echo "$dc_cf"
			return 0
		fi
	done
}

# The packages that bring what is named, on this kind of system.
deps_packages()
{
	dp_list=
	for dp_word in $2; do
		case $1:$dp_word in
		apt:cc)			dp_p="gcc libc6-dev" ;;
		apt:builder)		dp_p=ninja-build ;;
		apt:jemalloc)		dp_p=libjemalloc-dev ;;
		apt:liburcu-memb)	dp_p=liburcu-dev ;;
		apt:hwloc)		dp_p=libhwloc-dev ;;
		apt:jansson)		dp_p=libjansson-dev ;;
		apt:libzstd)		dp_p=libzstd-dev ;;
		apt:cmocka)		dp_p=libcmocka-dev ;;
		apt:ck)			dp_p=libck-dev ;;
		apt:nsync)		dp_p=libnsync-dev ;;
		apt:absl)		dp_p="libabsl-dev g++" ;;
		apt:tbb)		dp_p="libtbb-dev g++" ;;
		apt:clang)		dp_p="clang libclang-rt-dev llvm" ;;
		apt:clang-format)	dp_p=clang-format-14 ;;
		dnf:cc)			dp_p="gcc glibc-devel libasan libubsan libtsan" ;;
		dnf:builder)		dp_p=ninja-build ;;
		dnf:pkg-config)		dp_p=pkgconf-pkg-config ;;
		dnf:jemalloc)		dp_p=jemalloc-devel ;;
		dnf:liburcu-memb)	dp_p=userspace-rcu-devel ;;
		dnf:hwloc)		dp_p=hwloc-devel ;;
		dnf:jansson)		dp_p=jansson-devel ;;
		dnf:libzstd)		dp_p=libzstd-devel ;;
		dnf:cmocka)		dp_p=libcmocka-devel ;;
		dnf:ck)			dp_p=ck-devel ;;
		dnf:nsync)		dp_p=nsync-devel ;;
		dnf:absl)		dp_p="abseil-cpp-devel gcc-c++" ;;
		dnf:tbb)		dp_p="tbb-devel gcc-c++" ;;
		dnf:clang)		dp_p="clang compiler-rt llvm" ;;
		dnf:clang-format)	dp_p=clang-tools-extra ;;
		pkg:cc)			dp_p=gcc ;;
		pkg:builder)		dp_p=ninja ;;
		pkg:pkg-config)		dp_p=pkgconf ;;
		pkg:liburcu-memb)	dp_p=liburcu ;;
		pkg:hwloc)		dp_p=hwloc2 ;;
		pkg:libzstd)		dp_p=zstd ;;
		pkg:ck)			dp_p=concurrencykit ;;
		pkg:absl)		dp_p=abseil ;;
		pkg:tbb)		dp_p=onetbb ;;
		pkg:clang|pkg:clang-format) dp_p=llvm14 ;;
		*)			dp_p=$dp_word ;;
		esac
		dp_list="$dp_list $dp_p"
	done
	echo "${dp_list# }"
}

deps_system()
{
	if [ "$(uname -s)" = FreeBSD ]; then
		echo pkg
	elif command -v apt-get >/dev/null; then
		echo apt
	elif command -v dnf >/dev/null; then
		echo dnf
	fi
}

# deps_run <prefix> <system> <packages>: installs them.  Package lists that are
# absent or too old are fetched first.
deps_run()
{
	case $2 in
	apt)
		dr_get="$1 env DEBIAN_FRONTEND=noninteractive apt-get"
		dr_get="$dr_get -qq -o DPkg::Lock::Timeout=300"
		# shellcheck disable=SC2086 # lists of words
		{
			ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 ||
			    $dr_get update
			$dr_get install -y --no-install-recommends $3 ||
			    { $dr_get update &&
			    $dr_get install -y --no-install-recommends $3; }
		}
		;;
	dnf)
		# shellcheck disable=SC2086
		$1 dnf install -y -q $3
		;;
	pkg)
		# shellcheck disable=SC2086
		$1 env ASSUME_ALWAYS_YES=yes pkg install -y $3
		;;
	esac </dev/null >&2
}

deps()
{
	d_missing=$(deps_missing "$1")
	d_wanted=$(deps_missing "$2")
	d_system=$(deps_system)
	if [ -z "$d_missing" ] &&
	    { [ -z "$d_wanted" ] || [ -z "${deps_want_optional-}" ]; }; then
		return 0
	fi

	d_may=true
	d_sudo=
	if [ "$(id -u)" -ne 0 ]; then
		if sudo -n true >/dev/null 2>&1; then
			d_sudo="sudo -n"
		else
			d_may=false
		fi
	fi

	if $d_may && [ -n "$d_system" ]; then
		if [ -n "$d_missing" ]; then
			d_packages=$(deps_packages "$d_system" "$d_missing")
			echo "$deps_who: installing $d_packages" >&2
			deps_run "$d_sudo" "$d_system" "$d_packages" || true
		fi
		# One by one: an unknown name must not take the others along.
		for d_word in $d_wanted; do
			d_packages=$(deps_packages "$d_system" "$d_word")
			echo "$deps_who: installing $d_packages (optional)" >&2
			deps_run "$d_sudo" "$d_system" "$d_packages" ||
			    echo "$deps_who: goes on without $d_word" >&2
		done
		hash -r
		d_missing=$(deps_missing "$1")
	elif [ -z "$d_missing" ]; then
		echo "$deps_who: goes on without $d_wanted" >&2
	fi
	[ -n "$d_missing" ] || return 0

	echo "$deps_who: missing: $d_missing" >&2
	case " $d_missing " in
	*" cmake "*)
		if command -v cmake >/dev/null; then
			d_version=$(cmake --version | sed -n 's/^cmake version //p')
			echo "$deps_who: cmake must be 3.25 or newer," \
			    "this is $d_version" >&2
		fi
		;;
	esac
	d_packages=$(deps_packages "${d_system:-none}" "$d_missing")
	case $d_system in
	apt)	d_command="apt-get update && sudo apt-get install -y" ;;
	dnf)	d_command="dnf install -y" ;;
	pkg)	d_command="pkg install -y" ;;
	*)	d_command= ;;
	esac
	if [ -n "$d_command" ]; then
		echo "$deps_who: install with: sudo $d_command $d_packages" >&2
	else
		echo "$deps_who: install them with the system's package" \
		    "manager; the names are those of pkg-config" >&2
	fi
	exit $EX_UNAVAILABLE
}

# What both scripts need to build the program, in the words of deps_have().
# shellcheck disable=SC2034 # it is they that use it
deps_program="cc cmake builder pkg-config jemalloc liburcu-memb hwloc jansson libzstd"

# Whose locks ours are compared with, and the walker of tests/models, in the words
# of deps_have(): all can be done without.
# shellcheck disable=SC2034
deps_peers="ck nsync absl tbb spin"

# For the help of both scripts: what deps_packages() has for deps_peers.  Nobody
# has tried the names of Fedora and FreeBSD.
deps_peers_help()
{
	cat <<'END'

Optional peers, whose locks `pmapsim locks` compares ours with (ck's are locks of
pv lists, too), and spin, which walks a model of a lock in tests/check:

             Debian, Ubuntu   Fedora             FreeBSD
  ck         libck-dev        ck-devel           concurrencykit
  nsync      libnsync-dev     nsync-devel        nsync
  absl       libabsl-dev      abseil-cpp-devel   abseil
  tbb        libtbb-dev       tbb-devel          onetbb
  spin       spin             spin               spin

absl and tbb need a C++ compiler.  The names of Fedora and FreeBSD are untried.
END
}

# The number of CPUs.
deps_cpus()
{
	nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null ||
	    sysctl -n hw.ncpu 2>/dev/null || echo 1
}

# ninja, for a build directory that is not yet configured: an existing one keeps
# what it has, since CMake reads this variable only for new ones.
deps_generator()
{
	if [ -z "${CMAKE_GENERATOR-}" ] && command -v ninja >/dev/null; then
		CMAKE_GENERATOR=Ninja
		export CMAKE_GENERATOR
	fi
}
