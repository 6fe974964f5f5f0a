#!/usr/bin/env bash
# Lays a Python environment down on a cluster's machine, before EMR starts Spark there.
#
#   bootstrap.sh s3://BUCKET/environments/ID ID
#
# EMR runs it as the user hadoop. The wheels come from the artifacts bucket: a cluster needs no package index to start.
# The last step makes the environment's name appear, so that a half-made one is never taken for whole.
set -euo pipefail

say() { echo "deputies_lake bootstrap: $*" >&2; }

if [[ $# -ne 2 ]]; then
  say "two arguments are needed: s3://BUCKET/environments/ID ID"
  exit 2
fi
uri=$1 id=$2
home=$HOME/deputies_lake
target=$home/$id

# Drivers run on the primary node. The others' Spark is Java only: no step has Python code in its tasks.
node=${EMR_INSTANCE_INFO:-/mnt/var/lib/info/instance.json}
if [[ -f $node ]] && grep --quiet '"isMaster"[[:space:]]*:[[:space:]]*false' "$node"; then
  say "nothing to do on this node"
  exit 0
fi
if [[ -e $target/complete ]]; then
  say "$target is there already"
  exit 0
fi

mkdir -p "$home"
work=$(mktemp -d "$home/new.XXXXXX")
trap 'rm -rf "$work"' EXIT

fetched=no
for attempt in 1 2 3; do
  if aws s3 cp --only-show-errors --recursive "$uri/" "$work/files"; then
    fetched=yes
    break
  fi
  say "attempt $attempt to copy $uri failed"
  sleep $((attempt * 5))
done
if [[ $fetched = no ]]; then
  say "$uri can't be copied; what aws says of it is above. May this machine's role read it?"
  exit 1
fi
if [[ ! -f $work/files/manifest.json ]]; then
  say "$uri is not wholly there. Type: deputies-lake deploy"
  exit 1
fi
if ! command -v python3.11 >/dev/null; then
  say "this machine has no python3.11, which EMR brings from 7.1 on. Look at release_label in the settings"
  exit 1
fi
if ! python3.11 - "$work/files" "$id" <<'VERIFY'; then
import hashlib, json, pathlib, sys

folder, wanted = pathlib.Path(sys.argv[1]), sys.argv[2]
manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
del there["manifest.json"]
problems = [f"its manifest is of {found}, not of {wanted}" for found in [manifest["environment_id"]] if found != wanted]
for name, expected in manifest["sha256"].items():
    if name not in there:
        problems.append(f"{name} is not there")
    elif hashlib.sha256(there[name].read_bytes()).hexdigest() != expected:
        problems.append(f"{name} is not what was deployed")
problems += [f"{name} was not deployed" for name in sorted(there.keys() - manifest["sha256"].keys())]
sys.exit("\n".join(problems) or None)
VERIFY
  say "$uri is not what was deployed: see above. Who wrote there? Remove it, then type: deputies-lake deploy"
  exit 1
fi

# An environment knows its own path, so it is made where it stays; what died on the way left no mark of completion.
rm -rf "$target"
python3.11 -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --require-hashes \
  --find-links "$work/files/wheels" --requirement "$work/files/requirements.lock"
"$target/bin/python" -c 'import dagster, dagster_aws, duckdb, pyarrow, pyiceberg'
touch "$target/complete"
say "$target is ready"
