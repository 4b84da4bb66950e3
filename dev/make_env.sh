#!/usr/bin/env bash
# Makes one virtual environment from its lockfile: dev/make_env.sh tools | airflow-3.3 | airflow-2.11
# VENVS is the folder of the environments, PYTHON the interpreter (default: the first fitting one on PATH).
set -euo pipefail

cd "$(dirname "$0")/.."
name=$1
venvs=${VENVS:-.venvs}
tools=$venvs/tools

say() { printf '%s\n' "$*" >&2; }

fits() { # Airflow 2.11 supports Python up to 3.12, this package starts at 3.11.
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.12 python3 python}; do
    if fits "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  say "No Python 3.11 or 3.12 was found (looked for: ${PYTHON:-python3.11 python3.12 python3 python})."
  say "Install one (for instance: apt install python3.11 python3.11-venv, brew install python@3.11, uv python install 3.11)"
  say "or name it: make env PYTHON=/path/to/python3.11"
  exit 1
}

make_tools() {
  local python
  python=$(find_python)
  if ! [ -x "$tools/bin/python" ] && ! "$python" -m venv "$tools"; then
    rm -rf "$tools"
    say "$python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"
    exit 1
  fi
  if ! [ -x "$tools/bin/uv" ]; then
    "$tools/bin/python" -m pip install --quiet "$(grep '^uv==' requirements/tools.txt)"
  fi
  "$tools/bin/uv" pip install --quiet --python "$tools/bin/python" --requirement requirements/tools.txt
}

make_airflow() {
  local environment=$venvs/$name
  [ -x "$environment/bin/python" ] || "$tools/bin/uv" venv --quiet --python "$(find_python)" "$environment"
  # install, not sync: what a developer added by hand stays. Compiled once here, or each process of the tests that imports
  # Airflow does it for five seconds where no bytecode is written.
  "$tools/bin/uv" pip install --quiet --compile-bytecode --python "$environment/bin/python" \
    --requirement "requirements/$name.txt"
  "$tools/bin/uv" pip install --quiet --python "$environment/bin/python" --no-deps --editable .
}

say "making $venvs/$name"
if [ "$name" = tools ]; then make_tools; else make_airflow; fi
touch "$venvs/$name/.stamp"
