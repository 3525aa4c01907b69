#!/usr/bin/env bash
# Python of the peers, under bench/.cache: `venv` has River and scikit-learn, `venv-pyod` PyOD with a CPU build of torch.
# PyPI's Linux wheels of torch need gigabytes of CUDA, so torch comes from Debian's package (unpacked here, not installed)
# where there is an apt-get for the same Python; else PyOD's AutoEncoder is left out and the bench says so.
# setup.sh [river|pyod]; prints nothing but errors, ends 0 when the environment works.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
cd .cache

river() {
  [ -x venv/bin/python ] || python3 -m venv venv
  venv/bin/python -c 'import river, sklearn' 2>/dev/null || venv/bin/pip install -q 'river==0.26.1' scikit-learn numpy
}

libraries() {
  local root=$PWD/debroot
  export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/usr/lib:$root/usr/lib/x86_64-linux-gnu/blas:$root/usr/lib/x86_64-linux-gnu/lapack:$root/lib/x86_64-linux-gnu"
}

works() { venv-pyod/bin/python -c 'from pyod.models.auto_encoder import AutoEncoder' >/dev/null 2>&1; }

pyod() {
  libraries
  [ -x venv-pyod/bin/python ] && works && return
  [ -x venv-pyod/bin/python ] || python3 -m venv venv-pyod
  venv-pyod/bin/pip install -q 'numpy<2' scipy scikit-learn 'pyod==3.6.7' typing_extensions tqdm
  works && return
  if [ ! -d debroot/usr/lib/python3/dist-packages/torch ]; then
    mkdir -p debs/partial debroot
    apt-get install -y -qq --reinstall --no-install-recommends --download-only -o Dir::Cache::archives="$PWD/debs" python3-torch >/dev/null
    for deb in debs/*.deb; do dpkg -x "$deb" debroot; done
    rm -rf debs
  fi
  local site
  site=$(venv-pyod/bin/python -c 'import site; print(site.getsitepackages()[0])')
  for module in torch torchgen; do ln -sfn "$PWD/debroot/usr/lib/python3/dist-packages/$module" "$site/$module"; done
  works
}

"${1:-river}"
