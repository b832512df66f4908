#!/bin/bash
# Fuzzes what reads strangers' bytes: run.sh SECONDS [TARGET...]. Builds each target with libFuzzer and AddressSanitizer,
# runs it on its corpus for that much processor time, whatever else the processors do, and stops at the first input that
# breaks a property. New inputs go to a scratch folder, not to corpus/. The walk is the same each time, so that a short
# run is a test; FUZZ_SEED=0 takes another one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- RequestHead ResponseHead Chunks Cookies Host Route Identity Site Packets URL Lines YAML
scratch=${FUZZ_SCRATCH:-$(mktemp -d)}
# Swift's own backtracer would swallow the signal libFuzzer waits for.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0
sources=$here/../../Sources

build() {
    swiftc -O -swift-version 6 -parse-as-library -package-name fuzz -sanitize=fuzzer,address -use-ld=lld \
        -enable-upcoming-feature InternalImportsByDefault -I "$scratch" "$@"
}

# The processor time that a process of this shell has had, in seconds; fails once it has ended.
processor_time() {
    # pid (name) state, then user and system time, fields 14 and 15, in ticks.
    read -r _ _ state _ _ _ _ _ _ _ _ _ _ user system _ 2>/dev/null < "/proc/$1/stat" && [ "$state" != Z ] &&
        echo $(((user + system) / $(getconf CLK_TCK)))
}

# HTTPWire as a module of its own, for targets whose sources import it; built once.
httpwire() {
    [ -f "$scratch/HTTPWire.o" ] || build -wmo -c -module-name HTTPWire -emit-module \
        -emit-module-path "$scratch/HTTPWire.swiftmodule" "$sources"/HTTPWire/*.swift -o "$scratch/HTTPWire.o"
}

# Several targets: as many at a time as there are cores, each by a call of this script.
if [ $# -gt 1 ]; then
    httpwire
    printf '%s\n' "$@" | FUZZ_SCRATCH=$scratch xargs -n 1 -P "$(nproc)" "$0" "$seconds"
    exit
fi

target=$1
case $target in
    RequestHead) corpus=request-head ;;
    ResponseHead) corpus=response-head ;;
    *) corpus=$(echo "$target" | tr '[:upper:]' '[:lower:]') ;;
esac
mkdir -p "$scratch/$corpus"
echo "== $target: building"
# The sources under test are part of the target's module; what they import stands beside it.
case $target in
    Route)
        httpwire
        build -module-name FuzzRoute "$sources"/Routing/*.swift "$here/RouteProperties.swift" \
            "$here/FuzzRoute.swift" "$scratch/HTTPWire.o" -o "$scratch/Route" ;;
    Identity)
        httpwire
        clang -O1 -g -fsanitize=address -I "$sources/COpenSSL/include" -c "$sources/COpenSSL/COpenSSL.c" \
            -o "$scratch/COpenSSL.o"
        printf 'module COpenSSL { header "%s" export * }\n' "$sources/COpenSSL/include/COpenSSL.h" \
            > "$scratch/openssl.modulemap"
        build -module-name FuzzIdentity -Xcc "-fmodule-map-file=$scratch/openssl.modulemap" \
            "$sources"/Identity/*.swift "$here/IdentityProperties.swift" \
            "$here/AttachProperties.swift" "$here/FuzzIdentity.swift" \
            "$scratch/HTTPWire.o" "$scratch/COpenSSL.o" -lssl -lcrypto -o "$scratch/Identity" ;;
    Site)
        httpwire
        build -module-name FuzzSite "$sources/Assets/AcceptEncoding.swift" "$sources/Assets/Bytes.swift" \
            "$sources/Assets/EntityTags.swift" "$sources/Assets/RangeRequest.swift" \
            "$sources/Assets/RequestPath.swift" "$here/SiteProperties.swift" "$here/FuzzSite.swift" \
            "$scratch/HTTPWire.o" -o "$scratch/Site" ;;
    Packets)
        build -module-name FuzzPackets "$sources/GitRemote/PacketLines.swift" \
            "$sources/GitRemote/RefAdvertisement.swift" "$sources/GitRemote/RemoteBranches.swift" \
            "$here/PacketProperties.swift" "$here/FuzzPackets.swift" -o "$scratch/Packets" ;;
    Lines)
        build -module-name FuzzLines "$sources/KubernetesAPI/LineSplitter.swift" "$here/LineProperties.swift" \
            "$here/FuzzLines.swift" -o "$scratch/Lines" ;;
    YAML)
        build -module-name FuzzYAML -I "$sources/CYAML" "$sources/KubernetesAPI/Access/YAMLDocument.swift" \
            "$here/YAMLProperties.swift" "$here/FuzzYAML.swift" -o "$scratch/YAML" ;;
    URL)
        build -module-name FuzzURL "$sources/HTTPClient/HTTPURL.swift" "$sources/HTTPClient/IPAddress.swift" \
            "$here/URLProperties.swift" "$here/FuzzURL.swift" -o "$scratch/URL" ;;
    *)
        build -module-name "Fuzz$target" "$sources"/HTTPWire/*.swift "$here/Properties.swift" \
            "$here/Fuzz$target.swift" -o "$scratch/$target" ;;
esac
echo "== $target: running for $seconds s of processor time"
# The timeout of an input is by the clock, and a process may have to wait for its turn in the midst of one.
(ulimit -t $((seconds + 30)) && exec "$scratch/$target" -seed="${FUZZ_SEED:-1}" -max_len=4096 -len_control=20 \
    -timeout=120 -dict="$here/http.dict" -print_final_stats=1 -artifact_prefix="$scratch/" \
    "$scratch/$corpus" "$here/corpus/$corpus") > "$scratch/$target.log" 2>&1 &
fuzzer=$!
while used=$(processor_time $fuzzer) && [ "$used" -lt "$seconds" ]; do sleep 1; done
# It ends between two inputs. In the midst of one a handler might wait for a lock that the input holds.
kill -USR1 $fuzzer 2>/dev/null || true
code=0
wait $fuzzer || code=$?
tail -n 25 "$scratch/$target.log"
if [ $code != 0 ]; then
    echo "== $target: failed with code $code, see $scratch" >&2
    exit 1
fi
echo "== nothing found; inputs are in $scratch"
