#!/usr/bin/env bash
# Compares a program with transformers, tokenizers and Pillow on inputs made anew from a seed; scripts/sweeps/README.md.
#
#   scripts/sweeps.sh IMAGELORA [FOLDER] [--only strings|images|rows|folders] [--count N] [--seed N] [--jobs N]
#
# IMAGELORA is the program; FOLDER takes the inputs (a temporary one, removed if nothing differs). PYTHON names an
# interpreter with torch, transformers, tokenizers, safetensors, h5py, numpy and Pillow (default: python3). One line a
# difference, then one with counts; the status is 1 if anything differs, 2 if nothing could be compared.
set -euo pipefail
exec "${PYTHON:-python3}" "$(dirname "$0")/sweeps/sweep.py" "$@"
