#!/bin/sh
# Fuzzes HTTPWire: run.sh SECONDS [TARGET...]. Builds each target with libFuzzer and AddressSanitizer, runs it that long
# on its corpus, and stops at the first input that breaks a property. New inputs go to a scratch folder, not to corpus/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- RequestHead ResponseHead Chunks Cookies Host
scratch=${FUZZ_SCRATCH:-$(mktemp -d)}
# Swift's own backtracer would swallow the signal libFuzzer waits for.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0
for target in "$@"; do
    case $target in
        RequestHead) corpus=request-head ;;
        ResponseHead) corpus=response-head ;;
        *) corpus=$(echo "$target" | tr '[:upper:]' '[:lower:]') ;;
    esac
    mkdir -p "$scratch/$corpus"
    echo "== $target: building"
    swiftc -O -swift-version 6 -parse-as-library -package-name fuzz -module-name Fuzz$target \
        -sanitize=fuzzer,address -use-ld=lld \
        "$here"/../../Sources/HTTPWire/*.swift "$here/Properties.swift" "$here/Fuzz$target.swift" \
        -o "$scratch/$target"
    echo "== $target: running for $seconds s"
    timeout -k 10 $((seconds + 60)) "$scratch/$target" -max_total_time="$seconds" -max_len=2048 -timeout=10 \
        -dict="$here/http.dict" -print_final_stats=1 -artifact_prefix="$scratch/" \
        "$scratch/$corpus" "$here/corpus/$corpus" 2>&1 | tail -n 25 | tee "$scratch/$target.log"
    grep -q '^stat::number_of_executed_units' "$scratch/$target.log"
    if grep -q -e 'Test unit written' -e 'deadly signal' "$scratch/$target.log"; then
        echo "== $target: failed, see $scratch" >&2
        exit 1
    fi
done
echo "== nothing found; inputs are in $scratch"
