#!/usr/bin/env bash
# demo.sh: from a bare Debian 12 to a quantized and judged model.
#
# Installs missing packages, builds the release preset, quantizes the bundled
# digits model on its 100 calibration samples and judges it, on integers, by
# the 497 labelled ones. Results stay in build/demo.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/install_packages.sh
echo "Building (build/release), which takes some minutes ..."
tools/build.sh release -DHALFSTEP_BUILD_TESTS=OFF

bin=$PWD/build/release/tools
data=$PWD/tests/data/digits
mkdir -p build/demo
cd build/demo
echo
echo "+ quantize --input_list calib.txt digits.onnx"
"$bin/quantize" --input_list "$data/calib.txt" "$data/digits.onnx"
echo
echo "+ quantize-eval --input_list eval.txt --labels eval_labels.txt --min_top1 99 --max_top1_drop 1"
echo "    --report digits.eval.json --report digits.eval.html digits.onnx digits.quantized.onnx"
"$bin/quantize-eval" --input_list "$data/eval.txt" --labels "$data/eval_labels.txt" --min_top1 99 --max_top1_drop 1 \
  --report digits.eval.json --report digits.eval.html "$data/digits.onnx" digits.quantized.onnx
echo
echo "Written to build/demo: $(ls | tr '\n' ' ')"
